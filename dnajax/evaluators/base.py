"""What the training loop and `dnajax.evaluate` know about an evaluation."""

import dataclasses
from collections.abc import Iterator
from typing import Any, Protocol

from dnajax import config as config_lib
from dnajax import registry


class Evaluator(Protocol):
  """One evaluation, with its own data.

  It may also have `protocol`, a sentence that says how the values came about,
  `is_right` [Q] bool, which queries the last `run` said right (None: not known),
  and `figures()` -> {file stem: matplotlib Figure} of what the last `run` saw,
  which only `dnajax.evaluate` asks for.
  """

  def run(self, params) -> Iterator[tuple[str, float]]:
    """Yields (metric name, value); reads its own data, writes nothing."""


@dataclasses.dataclass(frozen=True)
class Context:
  """What an evaluator may use besides its own entry of config.evals."""
  config: Any                  # ConfigDict of the run
  derived: config_lib.Derived
  model: Any                   # Linen module
  mesh: Any = None             # jax Mesh, or None for one device
  cache: dict = dataclasses.field(default_factory=dict)  # of labelled.encode


def make(spec, context):
  """The evaluator of one entry of config.evals."""
  return registry.evaluator(spec.type)(spec, context)
