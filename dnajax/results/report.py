"""A directory with all that was measured: results.json, report.md, figures."""

import glob
from urllib import parse

from dnajax.results import bootstrap, comparison, seeds, store, tables
from dnajax.shell import cells, files
from dnajax.workdir import metrics

NO_MATPLOTLIB = ("Figures need matplotlib, which is not installed: "
                 "pip install 'dnajax[eval]'. Tables were written without them.")


def write(directory, found, workdirs, *, say=print):
  """Writes results.json, report.md and, with matplotlib, the figures.

  Args:
    directory: created if necessary; files in it are replaced one by one.
    found: what `measure.evaluate` returned, one per run.
    workdirs: of the runs, in the same order; of them the curves of training.
    say: called with a line if there can be no figures.

  Returns:
    The files written, list of paths.
  """
  directory = files.path(directory)
  directory.mkdir(parents=True, exist_ok=True)
  figures = _write_figures(directory, found, workdirs, say)
  path = directory / "report.md"
  files.write_text(path, markdown(found, [figure.name for figure in figures]))
  return [store.save(directory, found), path, *figures]


def write_evaluated(workdir, found, *, say=print):
  """Writes WORKDIR/report, and a report of its own for each run below WORKDIR.

  What was measured before of the same checkpoints by other evaluators stays in them.

  Args:
    workdir: of a run, or the directory above the runs of several seeds.
    found: list of (workdir of a run, what `measure.evaluate` returned).
    say: called with the tables and the files written.
  """
  found = [(path, store.with_earlier(path, one)) for path, one in found]
  for path, one in found:
    if len(found) > 1:
      write(files.path(path) / "report", [one], [path], say=say)
  say("\n" + tables.all_as_text(seeds.merge([one for _, one in found])) + "\n")
  paths, runs = zip(*found, strict=True)
  for path in write(files.path(workdir) / "report", list(runs), paths, say=say):
    say(f"wrote {path}")


def write_several(workdirs, directory, *, say=print):
  """Writes one report over several evaluated runs.

  Args:
    workdirs: of the runs, as they were asked for.
    directory: of the report.
    say: called with the tables and the files written.

  Raises:
    UserError: one of them was not evaluated.
  """
  found = [store.load(workdir) for workdir in workdirs]
  _name_apart(found, workdirs)
  say(tables.all_as_text(seeds.merge(found)) + "\n")
  for task, rows in comparison.tables(found):
    say("\n".join([task, *tables.text(rows, 2), ""]))
  for path in write(directory, found, workdirs, say=say):
    say(f"wrote {path}")


def _name_apart(found, workdirs):
  """Runs of the same name get the path they were asked for as their name."""
  names = [one["run"]["name"] for one in found]
  for one, workdir, name in zip(found, workdirs, names, strict=True):
    if names.count(name) > 1:
      one["run"]["name"] = workdir
      for entry in one["results"]:
        entry["run"] = workdir


def markdown(found, figure_names=()):
  """The report as Markdown.

  Args:
    found: what `measure.evaluate` returned, one per run.
    figure_names: files beside the report that it shows.
  """
  results = seeds.merge(found)
  lines = ["# Evaluation", "", *tables.markdown([
      ["run", "model", "step", "seed", "data", "fingerprint"],
      *([run["name"], run["model"], f"{run['step']:,} of {run['total_steps']:,}",
         str(run["seed"]), run["data"], run["fingerprint"][:12]]
        for run in (one["run"] for one in found))], 6)]
  if len({one["run"]["fingerprint"] for one in found}) > 1:
    lines += ["", "**The runs were evaluated on different data; their numbers do "
              "not compare.**"]
  compared = dict(comparison.tables(found))
  for task, rows in tables.of_results(results):
    lines += ["", f"## {cells.markdown(task)}", "", *tables.markdown(rows, rows[0].index("n"))]
    if task in compared:
      lines += ["", *tables.markdown(compared[task], 2)]
  lines.append("")
  for name in figure_names:
    lines += [f"![{cells.markdown(name.rpartition('.')[0])}]({parse.quote(name)})", ""]
  lines += ["## How it was measured", ""]
  lines += [f"- `{cells.plain(name)}`: {cells.markdown(protocol)}."
            for name, protocol in dict.fromkeys(
                (entry["evaluator"], entry["protocol"]) for entry in results)]
  if compared:
    lines += ["", f"interval: {bootstrap.LEVEL:.0%} percentile bootstrap over the queries "
              "(10,000 resamples); differences are paired, of the same queries."]
  return "\n".join(lines) + "\n"


def _write_figures(directory, found, workdirs, say):
  try:
    from dnajax.results import figures
  except ImportError:
    say(NO_MATPLOTLIB)
    return []
  curves = {one["run"]["name"]: metrics.read_rows(metrics.path(workdir))
            for one, workdir in zip(found, workdirs, strict=True)}
  curves = {name: rows for name, rows in curves.items() if rows}
  results = [entry for one in found for entry in one["results"]]
  drawn = {"training": figures.training_curves(curves, results),
           "accuracy": figures.accuracy_bars(results)}
  earlier = []
  for one in found:
    start = f"{one['run']['name'].replace('/', '_')}_" if len(found) > 1 else ""
    drawn |= {start + stem: figure for stem, figure in one.get("figures", {}).items()}
    evaluators = dict.fromkeys(entry["evaluator"] for entry in one["results"])
    earlier += [path for name in evaluators for pattern in (f"{name}.png", f"{name}_*.png")
                for path in sorted(directory.glob(glob.escape(start) + pattern))]
  out = []
  for stem, figure in drawn.items():
    if figure is not None:
      out.append(directory / f"{stem}.png")
      files.write_atomically(out[-1], lambda part, figure=figure: _save_figure(figure, part))
  return list(dict.fromkeys(out + earlier))


def _save_figure(figure, path):
  for text in figure.findobj(lambda part: hasattr(part, "set_parse_math")):
    text.set_parse_math(False)     # names of taxa and runs are no formulas
  with path.open("wb") as file:
    figure.savefig(file, format="png", dpi=150)
