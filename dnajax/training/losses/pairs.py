"""Whether two sequences are of one class."""

import dataclasses

import jax
import jax.numpy as jnp

from dnajax.models import label_heads
from dnajax.training.losses import comparison


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pairs(comparison.Comparison):
  """Binary cross-entropy over the pairs of a batch (BarcodeMAE+'s "binary", section 2).

  The published code draws up to 128 pairs, half of them of one class. Here all ordered
  pairs of a batch count, those of one class together as much as those of two: what the
  draws give on average, without their noise. A batch without pairs of both kinds does not
  count. Accuracy: the mean of both kinds', half by chance.
  """
  head_width: int = 256      # between the two maps of the head
  head_dropout: float = 0.1  # before its last map

  name = "pairs"

  def check(self, setup):
    """A width and a rate."""
    yield from super().check(setup)
    if self.head_width < 1:
      yield "head_width", "at least 1"
    if not 0 <= self.head_dropout < 1:
      yield "head_dropout", "at least 0 and below 1"

  def module(self, num_labels):
    """`label_heads.PairHead`."""
    del num_labels
    return label_heads.PairHead(self.head_width, self.pooling, self.head_dropout)

  def _counted(self, is_same, is_other):
    is_labelled = (is_same | is_other).any(axis=1)
    return is_labelled & is_same.any() & is_other.any()

  def _rows(self, outputs, name, is_same, is_other):
    logits = outputs.labels[name]                                  # [B, B]
    nats = jax.nn.softplus(jnp.where(is_same, -logits, logits))
    is_right = (logits > 0) == is_same
    # Each kind of pairs adds up to half the sequences that count.
    number = self._counted(is_same, is_other).sum()
    shares = sum(0.5 * number * kind / jnp.maximum(kind.sum(), 1)
                 for kind in (is_same, is_other))                  # [B, B]
    return (shares * nats).sum(axis=1), (shares * is_right).sum(axis=1)
