"""Figures of a report. Imported only where matplotlib is installed."""

import itertools

from matplotlib import figure as mpl_figure

from dnajax.evaluators import base, look


def training_curves(curves, results):
  """Loss, nearest-neighbour accuracy and collapse over the updates.

  Args:
    curves: {run: rows of its metrics.jsonl}.
    results: entries of `measure.evaluate`, for the lines of the baselines.

  Returns:
    A matplotlib Figure, or None if no run has rows.
  """
  baselines = {entry["evaluator"]: entry for entry in results
               if entry["is_bar"] and entry["features"] not in base.ENCODERS
               and entry["value"] is not None}
  panels = [
      ("mean loss (nats)", 1, _series(curves, "loss", None, ())),
      ("accuracy (%)", 100, _series(curves, "accuracy", "macro_accuracy", baselines)),
      ("effective rank of the features", 1,
       _series(curves, "effective_rank", None, ()))]
  switches = _switches(curves)
  if switches:
    panels.insert(1, ("validation perplexity", 1, _series(curves, "perplexity", None, ())))
  panels = [panel for panel in panels if panel[2]]
  if not panels:
    return None
  num_lines = max(len(series) for _, _, series in panels) + len(baselines)
  fig = mpl_figure.Figure(figsize=(4.8 * len(panels), 3.5 + 0.17 * num_lines),
                          layout="constrained")
  owners = list(dict.fromkeys(owner for _, _, series in panels for _, owner in series))
  for axes, (label, scale, series) in zip(
      fig.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
    _draw(axes, series, scale, list(curves), owners)
    if scale == 100:
      for entry in baselines.values():
        axes.axhline(100 * entry["value"], color=look.GREY, linestyle="--", linewidth=1.2,
                     label=f"{entry['features']} ({entry['evaluator']})")
    for run, step in switches.items():
      axes.axvline(step, color=look.GREY, linestyle=":", linewidth=1.4,
                   label=f"{run}: switch at {step:,}" if len(curves) > 1
                   else f"switch at {step:,}")
    if label == "validation perplexity":
      axes.set_yscale("log")
      for formatter in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
        formatter("{x:,.0f}")
    elif "loss" not in label:  # whose range is far from zero
      axes.set_ylim(0, 1.03 * axes.get_ylim()[1])
    axes.set_xlabel("updates")
    axes.set_ylabel(label)
    # Below the axes: no place inside is free in every run.
    axes.legend(frameon=False, fontsize=8, handlelength=3.5, loc="upper center",
                bbox_to_anchor=(0.5, -0.17))
  return fig


def _switches(curves):
  """{run: step of the switch of its curriculum cm_gems}, of runs that have switched."""
  steps = {run: max((row.get("curriculum/switch_step", -1) for row in rows), default=-1)
           for run, rows in curves.items()}
  return {run: int(step) for run, step in steps.items() if step >= 0}


def _series(curves, metric, companion, left_out):
  """{(run, evaluator): [(step, value)]} of all names that end in the metric.

  companion: a second metric the evaluator must have too, or None.
  """
  out = {}
  for run, rows in curves.items():
    for row in rows:
      for name, value in row.items():
        owner, _, last = name.rpartition("/")
        if (last == metric and owner and owner not in left_out and value == value
            and (companion is None or f"{owner}/{companion}" in row)):
          out.setdefault((run, owner), []).append((row["step"], value))
  return dict(sorted(out.items(), key=lambda item: item[0][1] != "train"))


def _draw(axes, series, scale, runs, owners):
  """One line per series: colours tell runs apart, dashes evaluators, the same in all panels."""
  several = len(runs) > 1
  for (run, owner), points in series.items():
    at = runs.index(run) if several else owners.index(owner)
    steps, values = zip(*sorted(points), strict=True)
    axes.plot(steps, [scale * value for value in values],
              color=look.COLOURS[at % len(look.COLOURS)], linewidth=1.6,
              linestyle=look.DASHES[owners.index(owner) % len(look.DASHES)] if several else "-",
              # Few points are measurements to be seen, many are a curve.
              marker=look.MARKERS[at % len(look.MARKERS)] if len(steps) <= 30 else None,
              markersize=4, label=f"{run}: {owner}" if several else owner)
  look.plain(axes)


def accuracy_bars(results):
  """Accuracy per task, one bar per kind of features, of evaluators that have a `bar`.

  Args:
    results: entries of `measure.evaluate`, of one or several runs.

  Returns:
    A matplotlib Figure, or None if there are none.
  """
  several = len({entry["run"] for entry in results}) > 1
  bars, kinds = {}, {}
  for entry in results:
    if entry["is_bar"] and entry["value"] is not None:
      is_baseline = entry["features"] not in base.ENCODERS
      name = (f"{entry['run']}: {entry['features']}" if several and not is_baseline
              else entry["features"])
      bars.setdefault(entry["task"], {})[name] = 100 * entry["value"]
      kinds[name] = entry["features"]
  if not bars:
    return None
  rows = list(dict.fromkeys(name for task in bars.values() for name in task))
  rows.sort(key=lambda name: kinds[name] not in base.ENCODERS)  # baselines last
  colours = dict(zip(base.ENCODERS, itertools.cycle(look.COLOURS), strict=False))
  num_bars = sum(len(task) for task in bars.values())
  fig = mpl_figure.Figure(figsize=(7.5, 0.9 + 0.38 * num_bars + 0.35 * len(bars)),
                          layout="constrained")
  axes = fig.subplots()
  y, ticks = 0.0, []
  for task, values in bars.items():
    axes.text(0.8, y, task, fontsize=9, fontweight="bold", va="center")
    y += 0.9
    for name in (name for name in rows if name in values):
      axes.barh(y, values[name], height=0.72,
                color=colours.get(kinds[name], look.GREY))
      axes.text(values[name] + 0.8, y, f"{values[name]:.1f}", va="center", fontsize=9)
      ticks.append((y, name))
      y += 0.9
    y += 0.3
  axes.set_yticks(*zip(*ticks, strict=True), fontsize=9)
  axes.set_ylim(y - 0.4, -0.6)
  axes.set_xlim(0, 106)
  axes.set_xticks(range(0, 101, 20))
  axes.set_xlabel("accuracy (% of the queries)")
  axes.tick_params(axis="y", length=0)
  look.plain(axes, grid="x")
  return fig
