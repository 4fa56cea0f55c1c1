"""Runs and baselines compared on the same queries: differences with intervals."""

import numpy as np

from dnajax.evaluators import base
from dnajax.results import bootstrap, seeds


def tables(found):
  """One table per evaluation whose queries are known, accuracy in per cent.

  Everything is compared with the trained encoder of the first run. Runs of one
  setting that differ in the seed only count as one: of each query the share of
  seeds that were right.

  Args:
    found: what `measure.evaluate` returned or `store.load` read, one per
      run.

  Returns:
    list of (evaluation, rows of text, the header first).
  """
  by_task = {}
  for group in seeds.groups(found):
    run = seeds.group_name(group)
    for entry in group[0]["results"]:
      key = f"{entry['evaluator']}/{entry['features']}"
      is_baseline = entry["features"] not in base.ENCODERS
      row = ("" if is_baseline else run, entry["features"])
      rows = by_task.setdefault((entry["task"], entry["fingerprint"]), {})
      parts = [one.get("is_right", {}).get(key) for one in group]
      if row not in rows and all(part is not None for part in parts):
        rows[row] = np.mean(parts, axis=0)
  return [(task, _table(rows)) for (task, _), rows in by_task.items() if len(rows) > 1]


def _table(rows):
  """rows: {(run, features): [Q] share of seeds that were right}."""
  order = sorted(rows, key=lambda row: row[1] != base.TRAINED)
  reference = order[0]
  several = len({run for run, _ in rows if run}) > 1
  of = f"{reference[0]}: {reference[1]}" if several else reference[1]
  out = [["run", "features", "accuracy", "interval", f"difference to {of}", "interval"]]
  for row in sorted(rows, key=lambda row: row[1] not in base.ENCODERS):
    values = rows[row]
    cells = [*row, f"{100 * values.mean():.1f} %", _interval(values)]
    if row == reference or len(values) != len(rows[reference]):
      cells += ["", ""]
    else:
      difference = values - rows[reference]
      cells += [f"{100 * difference.mean():+.1f}", _interval(difference, sign="+")]
    out.append(cells)
  return out


def _interval(values, sign=""):
  low, high = bootstrap.interval(values)
  return f"{100 * low:{sign}.1f} to {100 * high:{sign}.1f}"
