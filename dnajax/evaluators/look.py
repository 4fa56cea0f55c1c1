"""The look of all figures; needs no matplotlib to be imported."""

# Okabe and Ito's palette, told apart by every common form of colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00",
           "#000000")
MARKERS = "osD^vP"
DASHES = ("-", "--", ":", "-.")
GREY = "#666666"


def plain(axes, grid="both"):
  """Takes ornaments from axes; grid: "both", "x" or "y"."""
  axes.spines[["top", "right"]].set_visible(False)
  axes.grid(axis=grid, color="#e0e0e0", linewidth=0.7)
  axes.set_axisbelow(True)
