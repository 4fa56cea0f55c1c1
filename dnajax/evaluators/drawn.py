"""The pictures that evaluators draw of their last run, for reports and dashboards."""

import numpy as np


def figures(name, runner):
  """{file stem: matplotlib Figure} of a runner; empty if it draws none or cannot.

  Args:
    name: of the evaluator in config.evals.
    runner: evaluators.base.Runner that has run.
  """
  if not hasattr(runner, "figures"):
    return {}
  try:
    made = runner.figures()
    return {name if len(made) == 1 else f"{name}_{stem}": figure
            for stem, figure in made.items()}
  except ImportError:  # no matplotlib, which the report will say
    return {}


def pixels(figure):
  """A matplotlib Figure as an image, [H, W, 3] uint8."""
  from matplotlib.backends import backend_agg
  canvas = backend_agg.FigureCanvasAgg(figure)
  canvas.draw()
  return np.asarray(canvas.buffer_rgba())[..., :3].copy()
