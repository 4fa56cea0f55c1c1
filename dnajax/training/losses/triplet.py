"""The farthest sequence of one's own class against the nearest of another."""

import dataclasses

import jax
import jax.numpy as jnp

from dnajax.training.losses import comparison


@dataclasses.dataclass(frozen=True, kw_only=True)
class Triplet(comparison.Comparison):
  """softplus(d(positive) - d(negative) + margin) of cosine distances, batch hard.

  Hermans et al. 2017, equation 5, with the soft margin; BarcodeMAE+ (papers: section 2).
  Sequences without another of their class, or without one of another, do not count.
  Accuracy: the positive is nearer than the negative.
  """
  margin: float = 0.0  # added to the difference of the distances

  name = "triplet"

  def check(self, setup):
    """A margin."""
    yield from super().check(setup)
    if not 0 <= self.margin <= 2:
      yield "margin", "between 0 and 2, what cosine distances can differ by"

  def _counted(self, is_same, is_other):
    return is_same.any(axis=1) & is_other.any(axis=1)

  def _rows(self, outputs, name, is_same, is_other):
    del name
    distances = 1 - comparison.cosines(self._features(outputs))    # [B, B], 0 to 2
    positive = jnp.max(distances, axis=1, where=is_same, initial=-1)
    negative = jnp.min(distances, axis=1, where=is_other, initial=3)
    return (jax.nn.softplus(positive - negative + self.margin), positive < negative)
