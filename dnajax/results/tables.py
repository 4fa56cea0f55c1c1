"""Tables of results: as rows of cells, as text for a terminal, as Markdown."""

from dnajax.evaluators import base
from dnajax.shell import cells


def of_results(results):
  """One table per evaluation: runs and their features downwards, metrics across.

  Args:
    results: entries of `measure.evaluate`, of one or several runs, or of
      `seeds.merge`. Those that are not to be shown are left out.

  Returns:
    list of (evaluation, rows of text, the header first).
  """
  shown = [entry for entry in results if entry["is_shown"]]
  runs = list(dict.fromkeys(entry["run"] for entry in results))
  several = len(runs) > 1 or any("seeds" in entry for entry in results)
  out = []
  for task in dict.fromkeys(entry["task"] for entry in shown):
    of_task = [entry for entry in shown if entry["task"] == task]
    metrics = list(dict.fromkeys(entry["metric"] for entry in of_task))
    values, counts = {}, {}
    for entry in sorted(of_task, key=_order):
      row = _row_name(entry, several)
      values.setdefault(row, {})[entry["metric"]] = number(entry)
      counts[row] = "" if entry["n"] is None else f"{entry['n']:,.0f}"
    rows = [[*row, counts[row], *(values[row].get(metric, "–") for metric in metrics)]
            for row in values]
    names = [metric.replace("_", " ") for metric in metrics]
    out.append((task, [["run", "features", "n", *names], *rows] if several else
                [["features", "n", *names], *rows]))
  return out


def _order(entry):
  """Baselines last; run by run in the order given (sorting is stable)."""
  return entry["features"] not in base.ENCODERS


def _row_name(entry, several):
  name = entry["features"]
  if name == base.TRAINED:
    name += f" (step {entry['step']})"
  if not several:
    return (name,)
  # Baselines are the same for every run on the same data.
  return (entry["run"] if entry["features"] in base.ENCODERS else "", name)


def number(entry):
  """The value of an entry as its unit wants it, with its spread over seeds."""
  value, spread, unit = entry["value"], entry.get("spread"), entry["unit"]
  if value is None:
    return "not finite"
  scale = 100 if unit == "share" else 1
  form = {"share": ".1f", "count": ",.0f"}.get(unit, ".4g")
  return (f"{scale * value:{form}}"
          + ("" if spread is None else f" ± {scale * spread:.2g}")
          + " %" * (unit == "share"))


def text(rows, num_left):
  """Lines of a table for a terminal.

  Args:
    rows: of text, the header first.
    num_left: so many columns stand to the left, the others to the right.
  """
  widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
  lines = ["  ".join(cell.ljust(width) if i < num_left else cell.rjust(width)
                     for i, (cell, width) in enumerate(zip(row, widths, strict=True)))
           for row in rows]
  return [lines[0], "-" * len(lines[0]), *lines[1:]]


def all_as_text(results):
  """The tables of `of_results` one below the other."""
  lines = []
  for task, rows in of_results(results):
    lines += [task, *text(rows, rows[0].index("n")), ""]
  return "\n".join(lines[:-1])


def markdown(rows, num_left):
  """Lines of a table in Markdown; arguments as of `text`."""
  header, *rows = ([cells.markdown(cell) for cell in row] for row in rows)
  return [f"| {' | '.join(header)} |",
          "|" + "---|" * num_left + "---:|" * (len(header) - num_left),
          *(f"| {' | '.join(row)} |" for row in rows)]
