"""Pictures of a library and of what was called with it."""

import numpy as np


def reliability(report, called=None):
  """How often a probability is right, for each rank, where the library was fitted.

  Args:
    report: of an Identifier.
    called: {rank: share of the queries that are called}, drawn beside it; None: nothing.

  Returns:
    matplotlib Figure.
  """
  from matplotlib import figure
  ranks = report["ranks"]
  made = figure.Figure(figsize=(9 if called else 4.8, 4.4), layout="constrained")
  axes = made.subplots(1, 2 if called else 1, squeeze=False)[0]
  axes[0].plot([0, 1], [0, 1], color="0.7", linewidth=1)
  for n, (rank, one) in enumerate(reversed(ranks.items())):
    said, was, number = map(np.array, zip(*one["bins"], strict=True))
    axes[0].plot(said, was, color=f"C{n}", linewidth=1,
                 label=f"{rank}: error {one['calibration_error']:.1%}")
    axes[0].scatter(said, was, s=6 + 90 * number / number.sum(), color=f"C{n}")
  axes[0].set(xlabel="probability that was said", ylabel="share that was right",
              title="references, their species left out", xlim=(-.02, 1.02),
              ylim=(-.02, 1.02))
  axes[0].legend(frameon=False, fontsize=8)
  if called:
    names = list(called)
    axes[1].barh(range(len(names)), [called[rank] for rank in names], color="0.45")
    axes[1].set_yticks(range(len(names)), names)
    axes[1].invert_yaxis()
    axes[1].set(xlim=(0, 1), xlabel="share of the queries", title="called")
    for place, rank in enumerate(names):
      axes[1].text(min(called[rank] + .02, .88), place, f"{called[rank]:.0%}", va="center",
                   fontsize=9)
  for ax in axes:
    ax.spines[["top", "right"]].set_visible(False)
  return made
