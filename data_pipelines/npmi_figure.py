"""Figure of a table of k-mers. Imported only where matplotlib is installed."""

import numpy as np
from matplotlib import figure as mpl_figure

_BLUE, _ORANGE = "#0072B2", "#D55E00"
_NUM_SHOWN = 20               # k-mers of either end


def draw(table):
  """Distribution of the scores, and the k-mers at both ends of the ranking.

  Args:
    table: pmi_table.Table.

  Returns:
    A matplotlib Figure.
  """
  order = np.argsort(table.rank)
  order = order[np.isfinite(table.score[order])]
  source = table.provenance
  fig = mpl_figure.Figure(figsize=(10.5, 5.2), layout="constrained")
  left, best, worst = fig.subplots(1, 3, width_ratios=(2, 1, 1))
  scores = table.score[order]
  left.hist(scores, bins=min(80, max(10, len(order) // 20)), color=_BLUE)
  left.axvline(np.median(scores), color="#000000", linewidth=1, linestyle="--")
  left.text(np.median(scores), 1.01, f"median {np.median(scores):.2f}", fontsize=9,
            ha="center", va="bottom", transform=left.get_xaxis_transform())
  left.set_xlabel("normalised PMI (nats)" if source.get("discount") == "count"
                  else "PMI (nats)")
  left.set_ylabel(f"number of {source['k']}-mers")
  few = len(table.kmers) - len(order)
  left.set_title(f"{len(order):,} {source['k']}-mers"
                 + (f" ({few:,} rarer than {source['min_count']})" if few else ""),
                 fontsize=10, pad=18)
  num = min(_NUM_SHOWN, (len(order) + 1) // 2)
  _bars(best, table, order[:num], _BLUE, f"highest {num}")
  _bars(worst, table, order[len(order) - num:], _ORANGE, f"lowest {num}")
  for axes in (left, best, worst):
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x" if axes is not left else "both", color="#e0e0e0", linewidth=0.7)
    axes.set_axisbelow(True)
  return fig


def _bars(axes, table, ids, colour, title):
  y = np.arange(len(ids))
  axes.barh(y, table.score[ids], color=colour, height=0.75)
  width = len(str(table.rank[ids].max()))
  axes.set_yticks(y, [f"{table.kmers[i]}  {table.rank[i]:>{width}}" for i in ids],
                  fontsize=8, family="monospace")
  axes.invert_yaxis()
  axes.axvline(0, color="#000000", linewidth=0.8)
  axes.tick_params(axis="y", length=0)
  axes.set_title(title, fontsize=10, pad=18)
  axes.set_xlabel("score")
