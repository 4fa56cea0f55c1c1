"""Results of one or more workdirs -> tables and figures: `python -m dnajax.report`."""

import glob
import pathlib
import re

from absl import app, flags

from dnajax import bootstrap, command_line, comparison, errors, files, seeds
from dnajax import results as results_lib
from dnajax.evaluators import names as names_lib

FLAGS = flags.FLAGS

# Shown in per cent; also with a number of neighbours behind it, as accuracy_k5.
_SHARES = ("accuracy", "macro_accuracy", "macro_f1", "whitened_accuracy", "f1",
           "selected_share", "hidden_share", "hard_share",
           *(f"mean_{mode}" for mode in ("mask", "drop", "delete")),
           *(name + chance for name in ("neighbor_agreement", "same_centre", "same_ends")
             for chance in ("", "_by_chance")))
_SHOWN = (*_SHARES, "loss", "perplexity", "mcc", "ami", "ari", "v_measure",
          "harmonic_mean", "closed", "open", "silhouette", "mean_cosine", "effective_rank",
          "mean_pmi_rank")

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
  figures = _write_figures(directory, found, metrics_files, say)
  tables_path = directory / "report.md"
  files.write_text(tables_path, markdown(found, [path.name for path in figures]))
  return [results_lib.save(directory, found), tables_path, *figures]


def write_evaluated(workdir, found, *, say=print):
  """Writes WORKDIR/report, and a report of its own for each run below WORKDIR.

  What was measured before of the same checkpoints by other evaluators stays in them.

  Args:
    workdir: of a run, or the directory above the runs of several seeds.
    found: list of (workdir of a run, what `evaluate.evaluate` returned).
    say: called with the tables and the files written.
  """
  workdir = pathlib.Path(workdir)
  found = [(path, results_lib.with_earlier(path, one)) for path, one in found]
  for path, one in found:
    if len(found) > 1:
      write(path / "report", [one], [path / "metrics.jsonl"], say=say)
  say("\n" + text_tables(seeds.merge([one for _, one in found])) + "\n")
  for path in write(workdir / "report", [one for _, one in found],
                    [path / "metrics.jsonl" for path, _ in found], say=say):
    say(f"wrote {path}")


def tables(results):
  """One table per evaluation: runs and their features downwards, metrics across.

  Args:
    results: entries of `evaluate.evaluate`, of one or several runs, or of
      `seeds.merge`.

  Returns:
    list of (evaluation, rows of text, the header first).
  """
  shown = [entry for entry in results if _plain(entry["metric"]) in _SHOWN]
  runs = list(dict.fromkeys(entry["run"] for entry in results))
  several = len(runs) > 1 or any("seeds" in entry for entry in results)
  out = []
  for task in dict.fromkeys(entry["task"] for entry in shown):
    of_task = [entry for entry in shown if entry["task"] == task]
    metrics = list(dict.fromkeys(entry["metric"] for entry in of_task))
    cells, counts = {}, {}
    for entry in sorted(of_task, key=_order):
      row = _row_name(entry, several)
      cells.setdefault(row, {})[entry["metric"]] = _number(entry)
      counts[row] = "" if entry["n"] is None else f"{entry['n']:,.0f}"
    rows = [[*row, counts[row], *(cells[row].get(metric, "–") for metric in metrics)]
            for row in cells]
    names = [metric.replace("_", " ") for metric in metrics]
    out.append((task, [["run", "features", "n", *names], *rows] if several else
                [["features", "n", *names], *rows]))
  return out


def _plain(metric):
  """accuracy_k5 -> accuracy."""
  return re.sub(r"_k\d+$", "", metric)


def _order(entry):
  """Counts last; run by run in the order given (sorting is stable)."""
  return entry["features"] not in names_lib.ENCODERS


def _row_name(entry, several):
  name = entry["features"]
  if name == names_lib.TRAINED:
    name += f" (step {entry['step']})"
  if not several:
    return (name,)
  # Counts are the same for every run on the same data.
  return (entry["run"] if entry["features"] in names_lib.ENCODERS else "", name)


def _number(entry):
  if entry["value"] is None:
    return "not finite"
  is_share = _plain(entry["metric"]) in _SHARES
  scale = 100 if is_share else 1
  text = f"{100 * entry['value']:.1f}" if is_share else f"{entry['value']:.4g}"
  if entry.get("spread") is not None:
    text += f" ± {scale * entry['spread']:.2g}"
  return text + " %" * is_share


def text_tables(results):
  """The tables for a terminal, columns aligned."""
  lines = []
  for task, rows in tables(results):
    lines += [task, *_aligned(rows, rows[0].index("n")), ""]
  return "\n".join(lines[:-1])


def _aligned(rows, num_left):
  """Lines of a table; the first columns to the left, the others to the right."""
  widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
  text = ["  ".join(cell.ljust(width) if i < num_left else cell.rjust(width)
                    for i, (cell, width) in enumerate(zip(row, widths, strict=True)))
          for row in rows]
  return [text[0], "-" * len(text[0]), *text[1:]]


def markdown(found, figure_names=()):
  """The report as Markdown.

  Args:
    found: what `evaluate.evaluate` returned, one per run.
    figure_names: files beside the report that it shows.
  """
  results = seeds.merge(found)
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
  compared = dict(comparison.tables(found))
  for task, rows in tables(results):
    lines += ["", f"## {task}", "", *_markdown_table(rows, rows[0].index("n"))]
    if task in compared:
      lines += ["", *_markdown_table(compared[task], 2)]
  lines.append("")
  for name in figure_names:
    lines += [f"![{pathlib.Path(name).stem}]({name})", ""]
  lines += ["## How it was measured", ""]
  protocols = dict.fromkeys(
      (entry["evaluator"], entry["protocol"]) for entry in results)
  shared = {entry["evaluator"]: f" {entry['value']:,.0f} of the queries have a sequence "
            "that is also among what they are compared with or was trained on."
            for entry in results if entry["metric"] == "num_shared"}
  lines += [f"- `{name}`: {protocol}.{shared.get(name, '')}" for name, protocol in protocols]
  if compared:
    lines += ["", f"interval: {bootstrap.LEVEL:.0%} percentile bootstrap over the queries "
              "(10,000 resamples); differences are paired, of the same queries."]
  lines += ["", "mean cosine and effective rank tell whether features have "
            "collapsed: mean over all pairs of queries, and exp of the entropy of "
            "the normalised singular values of the centred features. whitened accuracy: "
            "the same neighbours after the mean and covariance of the keys are taken "
            "out."]
  return "\n".join(lines) + "\n"


def _markdown_table(rows, num_left):
  header, *rows = rows
  return [f"| {' | '.join(header)} |",
          "|" + "---|" * num_left + "---:|" * (len(header) - num_left),
          *(f"| {' | '.join(row)} |" for row in rows)]


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
  drawn = {"training": figures.training_curves(curves, results),
           "accuracy": figures.accuracy_bars(results)}
  earlier = []
  for one in found:
    start = f"{one['run']['name'].replace('/', '_')}_" if len(found) > 1 else ""
    drawn |= {start + stem: figure for stem, figure in one.get("figures", {}).items()}
    evaluators = dict.fromkeys(entry["evaluator"] for entry in one["results"])
    earlier += [path for name in evaluators for pattern in (f"{name}.png", f"{name}_*.png")
                for path in sorted(directory.glob(glob.escape(start) + pattern))]
  for stem, figure in drawn.items():
    if figure is not None:
      files.write_atomically(
          directory / f"{stem}.png",
          lambda part, figure=figure: figure.savefig(part, format="png", dpi=150))
      out.append(directory / f"{stem}.png")
  return list(dict.fromkeys(out + earlier))


def define_flags():
  """Flags of the command; not at import, where several commands would clash."""
  flags.DEFINE_list("workdirs", [], "Evaluated training runs, comma separated.")
  flags.DEFINE_string("output", "report", "Directory to write.")


@errors.exit_cleanly
def main(argv):
  """Flags -> report over several runs."""
  if argv[1:] or not FLAGS.workdirs:
    raise errors.UserError("Give --workdirs=a,b,c, separated by commas only.")
  found = [results_lib.load(workdir) for workdir in FLAGS.workdirs]
  _name_apart(found, FLAGS.workdirs)
  print(text_tables(seeds.merge(found)))
  print()
  for task, rows in comparison.tables(found):
    print("\n".join([task, *_aligned(rows, 2), ""]))
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
  app.run(main, flags_parser=command_line.parse_flags)
