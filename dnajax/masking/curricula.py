"""What a curriculum is, and the one that changes nothing."""

import dataclasses

import jax.numpy as jnp


class Curriculum:
  """Base of the curricula: when the hard selection takes the place of the easy one.

  A curriculum is a frozen dataclass in a file of its own. The easy selection is
  config.masking.selection; what stands here is right where nothing ever changes.

  Attributes:
    hard: the other selection, a part with a rate of its own; None if there is none.
    evaluator: entry of config.evals whose perplexity `observe` waits for; "" for none.
  """
  hard = None
  evaluator = ""

  def start(self):
    """Progress before the first update, a part of the train state; None for none."""

  def is_hard(self, step, total_steps, progress, key):
    """Whether an update uses the hard selection, bool scalar.

    Args:
      step: int32 scalar, updates already made; traced.
      total_steps: of the run, static.
      progress: of `start` and `observe`; traced.
      key: PRNG key, consumed.
    """
    del step, total_steps, progress, key
    return jnp.bool_(False)

  def observe(self, progress, step, perplexity):
    """Progress after an evaluation.

    Args:
      progress: host or device arrays.
      step: updates done.
      perplexity: of the selected tokens in `types.first_stage`.

    Returns:
      Progress of NumPy arrays.
    """
    del step, perplexity
    return progress

  def describe(self, easy, total_steps, progress, step):
    """What is done from a step on, for people; easy: the other selection. "": nothing."""
    del easy, total_steps, progress, step
    return ""

  def metrics(self, total_steps, progress, step):
    """The same as a list of Metric."""
    del total_steps, progress, step
    return []


@dataclasses.dataclass(frozen=True)
class NoCurriculum(Curriculum):
  """One selection from the first update to the last."""
