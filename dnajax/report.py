"""Results of one or more workdirs -> tables and figures: `python -m dnajax.report`."""

import json
import pathlib

from absl import app, flags

from dnajax import errors, files

FLAGS = flags.FLAGS

_SHARES = ("accuracy", "macro_accuracy", "whitened_accuracy")    # shown in per cent
_SHOWN = (*_SHARES, "loss", "perplexity", "mean_cosine", "effective_rank")
_FIRST_COLUMNS = ("untrained encoder", "trained encoder")

NO_MATPLOTLIB = ("Figures need matplotlib, which is not installed: "
                 "pip install 'dnajax[eval]'. Tables were written without them.")


def write(directory, found, metrics_files, *, say=print):
  """Writes results.json, report.md and, with matplotlib, the figures.

  Args:
    directory: created if necessary; files in it are replaced one by one.
    found: what `evaluate.evaluate` returned, one per run.
    metrics_files: the metrics.jsonl of each run, in the same order.
    say: called with a line if there can be no figures.

  Returns:
    The files written, list of pathlib.Path.
  """
  directory = pathlib.Path(directory)
  directory.mkdir(parents=True, exist_ok=True)
  results = [entry for one in found for entry in one["results"]]
  figures = _write_figures(directory, found, metrics_files, say)
  document = found[0] if len(found) == 1 else {
      "runs": [one["run"] for one in found], "results": results}
  texts = {"results.json": json.dumps(document, indent=2, ensure_ascii=False) + "\n",
           "report.md": markdown(found, [path.name for path in figures])}
  for name, text in texts.items():
    files.write_text(directory / name, text)
  return [directory / name for name in texts] + figures


def table(results):
  """Tasks and metrics downwards, features side by side.

  Args:
    results: entries of `evaluate.evaluate`, of one or several runs.

  Returns:
    list of rows of text, the header first.
  """
  runs = list(dict.fromkeys(entry["run"] for entry in results))

  def column(entry):
    name = entry["features"]
    if name not in _FIRST_COLUMNS:
      return name        # counts are the same for every run on the same data
    if name == "trained encoder":
      name += f" (step {entry['step']})"
    return f"{entry['run']}: {name}" if len(runs) > 1 else name

  def order(entry):
    known = entry["features"] in _FIRST_COLUMNS
    return (not known, runs.index(entry["run"]) if known else 0,
            _FIRST_COLUMNS.index(entry["features"]) if known else 0)

  shown = [entry for entry in results if entry["metric"] in _SHOWN]
  columns = list(dict.fromkeys(column(entry) for entry in sorted(shown, key=order)))
  cells, counts = {}, {}
  for entry in shown:
    row = (entry["task"], entry["metric"])
    cells.setdefault(row, {})[column(entry)] = _number(entry)
    if entry["n"] is not None:
      counts[row] = f"{entry['n']:,.0f}"
  rows = [[task, metric.replace("_", " "), counts.get((task, metric), ""),
           *(cells[task, metric].get(name, "–") for name in columns)]
          for task, metric in cells]
  return [["evaluation", "metric", "n", *columns], *rows]


def _number(entry):
  if entry["value"] is None:
    return "not finite"
  if entry["metric"] in _SHARES:
    return f"{100 * entry['value']:.1f} %"
  return f"{entry['value']:.4g}"


def text_table(results):
  """The table for a terminal, columns aligned."""
  rows = table(results)
  widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
  lines = ["  ".join(cell.ljust(width) if i < 2 else cell.rjust(width)
                     for i, (cell, width) in enumerate(zip(row, widths, strict=True)))
           for row in rows]
  return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def markdown(found, figure_names=()):
  """The report as Markdown.

  Args:
    found: what `evaluate.evaluate` returned, one per run.
    figure_names: files beside the report that it shows.
  """
  results = [entry for one in found for entry in one["results"]]
  lines = ["# Evaluation", "",
           "| run | model | step | seed | data | fingerprint |",
           "|---|---|---|---|---|---|"]
  for run in (one["run"] for one in found):
    lines.append(f"| {run['name']} | {run['model']} | {run['step']:,} of "
                 f"{run['total_steps']:,} | {run['seed']} | {run['data']} | "
                 f"{run['fingerprint'][:12]} |")
  if len({one["run"]["fingerprint"] for one in found}) > 1:
    lines += ["", "**The runs were evaluated on different data; their numbers do "
              "not compare.**"]
  header, *rows = table(results)
  lines += ["", f"| {' | '.join(header)} |",
            "|---|---|" + "---:|" * (len(header) - 2),
            *(f"| {' | '.join(row)} |" for row in rows), ""]
  for name in figure_names:
    lines += [f"![{pathlib.Path(name).stem}]({name})", ""]
  lines += ["## How it was measured", ""]
  protocols = dict.fromkeys(
      (entry["evaluator"], entry["protocol"]) for entry in results)
  lines += [f"- `{name}`: {protocol}." for name, protocol in protocols]
  lines += ["", "mean cosine and effective rank tell whether features have "
            "collapsed: mean over all pairs of queries, and exp of the entropy of "
            "the normalised singular values of the centred features. whitened accuracy: "
            "the same neighbours after the mean and covariance of the keys are taken "
            "out."]
  return "\n".join(lines) + "\n"


def _write_figures(directory, found, metrics_files, say):
  try:
    from dnajax import figures
  except ImportError:
    say(NO_MATPLOTLIB)
    return []
  from dnajax.training import metrics
  curves = {one["run"]["name"]: metrics.read_rows(path)
            for one, path in zip(found, metrics_files, strict=True)
            if pathlib.Path(path).exists()}
  results = [entry for one in found for entry in one["results"]]
  out = []
  for name, figure in (("training.png", figures.training_curves(curves, results)),
                       ("accuracy.png", figures.accuracy_bars(results))):
    if figure is not None:
      files.write_atomically(
          directory / name,
          lambda part, figure=figure: figure.savefig(part, format="png", dpi=150))
      out.append(directory / name)
  return out


def load_results(workdir):
  """What `dnajax.evaluate` wrote into a workdir."""
  path = pathlib.Path(workdir) / "report" / "results.json"
  try:
    found = json.loads(path.read_text("utf-8"))
    found["run"]["name"], found["results"]    # noqa: B018  (is it one of ours?)
    return found
  except FileNotFoundError as error:
    raise errors.UserError(
        f"{workdir} has no report/results.json. Make it with: "
        f"python -m dnajax.evaluate --workdir={workdir}") from error
  except (ValueError, KeyError, TypeError) as error:
    raise errors.UserError(
        f"{path} is damaged ({error}). Make it again with: "
        f"python -m dnajax.evaluate --workdir={workdir}") from error


def define_flags():
  """Flags of the command; not at import, where several commands would clash."""
  flags.DEFINE_list("workdirs", [], "Evaluated training runs, comma separated.")
  flags.DEFINE_string("output", "report", "Directory to write.")


@errors.exit_cleanly
def main(argv):
  """Flags -> report over several runs."""
  if argv[1:] or not FLAGS.workdirs:
    raise errors.UserError("Give --workdirs=a,b,c, separated by commas only.")
  found = [load_results(workdir) for workdir in FLAGS.workdirs]
  _name_apart(found, FLAGS.workdirs)
  print(text_table([entry for one in found for entry in one["results"]]))
  print()
  paths = [pathlib.Path(workdir) / "metrics.jsonl" for workdir in FLAGS.workdirs]
  for path in write(FLAGS.output, found, paths):
    print(f"wrote {path}")


def _name_apart(found, workdirs):
  """Runs of the same name get the path they were asked for as their name."""
  names = [one["run"]["name"] for one in found]
  for one, workdir, name in zip(found, workdirs, names, strict=True):
    if names.count(name) > 1:
      one["run"]["name"] = workdir
      for entry in one["results"]:
        entry["run"] = workdir


if __name__ == "__main__":
  define_flags()
  app.run(main)
