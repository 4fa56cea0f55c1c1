"""What every evaluator is: a part of the config, and what it makes for one run."""

import dataclasses
from collections.abc import Iterator
from typing import Protocol

from dnajax.shell import metric

UNTRAINED, TRAINED = "untrained encoder", "trained encoder"
ENCODERS = (UNTRAINED, TRAINED)


@dataclasses.dataclass(frozen=True)
class Evaluator:
  """Base of the evaluators: parts that say what is asked and build what asks it.

  A new one is a file with such a class and a line in the registry. It may also have
  `check(setup)`, see `shell.parts`.

  Attributes:
    task: what is asked, in the same words for encoders and baselines: what is
      compared stands in one table. A property, or a constant.
    baseline: what stands in the column of the features; None: an encoder.
    others: names of other entries of config.evals that it is made of; it runs
      after them.
    needs_task: whether it wants `Context.task`, what an update of the run computes.
    bar: name of the metric that the figure of accuracies has bars for; "": none.
  """
  # updates between two evaluations; 0: at the end; -1: only by dnajax.evaluate
  every_steps: int = dataclasses.field(default=0, kw_only=True)

  task = ""
  baseline = None
  others = ()
  needs_task = False
  bar = ""

  @property
  def splits(self):
    """Names of the splits that are read besides that of the training."""
    return tuple(getattr(self, field.name) for field in dataclasses.fields(self)
                 if field.name.endswith("split"))

  def asks_untrained(self, evals):
    """Whether the encoder is asked before training, too.

    Args:
      evals: {name: Evaluator}, config.evals.
    """
    del evals
    return False

  def build(self, context) -> "Runner":
    """Reads the data; UserError if that cannot be done.

    Args:
      context: `context.Context`.
    """
    raise NotImplementedError


class Runner(Protocol):
  """One evaluation with its own data.

  It may also have `is_right` [Q] bool, which queries the last `run` said right
  (None: not known); `figures()` -> {file stem: matplotlib Figure} of what the last
  `run` saw; `points()` -> (features [N, D], N names) that a projector shows; and
  `metrics`, the names that `run` yields and a harmonic mean may be made of.
  """
  protocol: str   # how the values came about, in a sentence

  def run(self, params) -> Iterator[metric.Metric]:
    """Yields Metrics; writes nothing. The first of unit "count" is how much was asked."""


def at_least(part, **numbers):
  """What is wrong for `check`: keys of a part whose numbers are below those given."""
  for key, number in numbers.items():
    value = getattr(part, key)
    if min(value if isinstance(value, tuple) else (value,), default=number - 1) < number:
      yield key, f"at least {number}"
