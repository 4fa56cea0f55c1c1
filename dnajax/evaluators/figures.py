"""Figures of evaluators. Imported only where matplotlib is installed."""

import numpy as np
from matplotlib import figure as mpl_figure
from matplotlib import lines

from dnajax.evaluators import look

_MODES = {"mask": "replaced by [MASK]", "drop": "not attended, positions stay",
          "delete": "deleted, the rest moves up"}
_BASES = "ACGT"
# metric -> (label, scale, form of a cell, end of the colours; None: the largest value)
_OF_HEADS = {
    "entropy": ("entropy (nats)", 1, "{:.2f}", None),
    "relative_entropy": ("entropy (% of the log of\nthe number of keys)", 100, "{:.1f}", 100),
    "max_weight": ("largest weight (%)", 100, "{:.1f}", None)}


def lost_tokens(rates, curves):
  """Accuracy against the share of lost tokens.

  Args:
    rates: shares in [0, 1).
    curves: {mode: accuracies in 0..1, one per rate}.

  Returns:
    A matplotlib Figure.
  """
  fig = mpl_figure.Figure(figsize=(5.6, 4.4), layout="constrained")
  axes = fig.subplots()
  for i, (mode, values) in enumerate(curves.items()):
    axes.plot([100 * rate for rate in rates], [100 * value for value in values],
              color=look.COLOURS[i], marker=look.MARKERS[i], markersize=5,
              linewidth=1.6, label=_MODES[mode])
  axes.set_ylim(0, 1.03 * max(axes.get_ylim()[1], 1))
  axes.set_xlabel("lost tokens of the query (%)")
  axes.set_ylabel("1-NN accuracy (% of the queries)")
  # Below the axes: a curve may be flat and leave no place inside.
  fig.legend(loc="outside lower center", frameon=False, fontsize=9, alignment="left",
             title="a lost token is", title_fontsize=9)
  look.plain(axes)
  return fig


def accuracy_by_length(curves, longest):
  """Accuracy against the length of the queries.

  Args:
    curves: {name of the features: {base pairs, 0 for whole queries: accuracy in 0..1}}.
    longest: base pairs of the longest query, where whole queries are drawn.

  Returns:
    A matplotlib Figure.
  """
  fig = mpl_figure.Figure(figsize=(5.6, 4.2), layout="constrained")
  axes = fig.subplots()
  for i, (name, curve) in enumerate(curves.items()):
    axes.plot([length or longest for length in curve],
              [100 * value for value in curve.values()], color=look.COLOURS[i],
              marker=look.MARKERS[i], markersize=5, linewidth=1.6, label=name)
  ticks = {length or longest: f"{length}" if length else "whole"
           for curve in curves.values() for length in curve}
  axes.set_xticks(list(ticks), ticks.values())
  axes.set_xlim(left=0)
  axes.set_ylim(0, 1.03 * max(axes.get_ylim()[1], 1))
  axes.set_xlabel("length of the query (base pairs)")
  axes.set_ylabel("1-NN accuracy (% of the queries)")
  # Above the axes: a curve may be anywhere inside.
  fig.legend(loc="outside upper center", frameon=False, fontsize=9, ncols=2)
  look.plain(axes)
  return fig


def accuracy_curve(accuracies):
  """Accuracy over the number of neighbours.

  Args:
    accuracies: {number of neighbours: (over queries, over classes)}, in 0..1.

  Returns:
    A matplotlib Figure.
  """
  numbers = sorted(accuracies)
  fig = mpl_figure.Figure(figsize=(5, 3.4), layout="constrained")
  axes = fig.subplots()
  for i, (name, dashes) in enumerate((("over queries", "-"), ("over classes", "--"))):
    axes.plot(numbers, [100 * accuracies[n][i] for n in numbers], linestyle=dashes,
              color=look.COLOURS[i], marker=look.MARKERS[i], linewidth=1.6,
              markersize=4, label=name)
  axes.set_xticks(numbers)
  axes.set_xlabel("number of neighbours")
  axes.set_ylabel("accuracy (%)")
  axes.set_ylim(0, 1.03 * axes.get_ylim()[1])
  axes.legend(frameon=False, fontsize=8, loc="lower left")
  look.plain(axes)
  return fig


def label_map(points, labels, names, axis_names):
  """Points in a plane, a colour and a marker per label.

  Args:
    points: [N, 2].
    labels: [N].
    names: {label: text}, in the order of the legend.
    axis_names: of the two axes.

  Returns:
    A matplotlib Figure.
  """
  num_columns = -(-len(names) // 24)
  fig = _map_figure(points, 1.7 * num_columns)
  axes = fig.subplots()
  num_colours = len(look.COLOURS)
  for i, (label, name) in enumerate(names.items()):
    own = points[labels == label]
    axes.scatter(own[:, 0], own[:, 1], s=26, linewidths=0.4, edgecolors="white",
                 color=look.COLOURS[i % num_colours],
                 marker=look.MARKERS[i // num_colours], label=name)
  # Beside the axes: points may lie anywhere inside.
  fig.legend(loc="outside right upper", frameon=False, fontsize=8, markerscale=1.2,
             ncols=num_columns)
  _map_axes(axes, axis_names)
  return fig


def centre_map(points, centres, axis_names):
  """Tokens in a plane: colour and marker are the two central nucleotides.

  Args:
    points: [n, 2].
    centres: [n] of two-letter str.
    axis_names: of the two axes.

  Returns:
    A matplotlib Figure.
  """
  fig = _map_figure(points, 1.0)
  axes = fig.subplots()
  # Fewer tokens are drawn larger.
  size = min(40, max(9, 40_000 / len(points)))
  colours = dict(zip(_BASES, look.COLOURS, strict=False))
  markers = dict(zip(_BASES, "osD^", strict=True))
  for second, marker in markers.items():
    # All colours together in the order of the tokens' positions, which has to do with
    # no nucleotide: else the last colour would cover the others.
    own = np.flatnonzero([centre[1] == second for centre in centres])
    own = own[np.argsort(points[own, 0])]
    axes.scatter(points[own, 0], points[own, 1], s=size, linewidths=0, alpha=0.75,
                 c=[colours[centres[i][0]] for i in own], marker=marker)
  handles = [lines.Line2D([], [], linestyle="none", color=colour, marker=marker,
                          label=first + second)
             for first, colour in colours.items() for second, marker in markers.items()]
  fig.legend(handles=handles, loc="outside right upper", frameon=False, fontsize=9,
             title="central\nnucleotides", title_fontsize=9, alignment="left")
  _map_axes(axes, axis_names)
  return fig


def head_maps(values):
  """Heat maps of layers × heads, one per metric, the values in the cells.

  Args:
    values: {metric of attention_map: [layers, heads]}.

  Returns:
    A matplotlib Figure.
  """
  num_layers, num_heads = next(iter(values.values())).shape
  fig = mpl_figure.Figure(
      figsize=(3 * max(2.9, 1.5 + 0.42 * num_heads), max(2.4, 1.1 + 0.42 * num_layers)),
      layout="constrained")
  panels = fig.subplots(1, len(values), squeeze=False)[0]
  for axes, (metric, cells) in zip(panels, values.items(), strict=True):
    label, scale, form, top = _OF_HEADS[metric]
    # From zero on: small differences between heads must not look large.
    image = axes.imshow(scale * cells, cmap="cividis", aspect="auto", vmin=0, vmax=top)
    for layer in range(num_layers):
      for head in range(num_heads):
        is_light = image.norm(scale * cells[layer, head]) > 0.5
        axes.text(head, layer, form.format(scale * cells[layer, head]), ha="center",
                  va="center", fontsize=8, color="black" if is_light else "white")
    axes.set_xticks(range(num_heads), range(1, num_heads + 1))
    axes.set_yticks(range(num_layers), range(1, num_layers + 1))
    axes.tick_params(length=0)
    axes.set_xlabel("head")
    axes.set_ylabel("layer")
    fig.colorbar(image, ax=axes, label=label)
  return fig


def _map_figure(points, legend_width):
  """A Figure as high as the points are, beside a legend of that many inches."""
  width, height = np.maximum(np.ptp(points, axis=0), 1e-9)
  return mpl_figure.Figure(layout="constrained", figsize=(
      5.6 + legend_width, float(np.clip(5.6 * height / width, 4.0, 6.5))))


def _map_axes(axes, names):
  """Axes of a map: one scale for both, no ticks, for the numbers mean nothing."""
  axes.set_aspect("equal", adjustable="datalim")
  axes.set_xticks([])
  axes.set_yticks([])
  axes.set_xlabel(names[0])
  axes.set_ylabel(names[1])
