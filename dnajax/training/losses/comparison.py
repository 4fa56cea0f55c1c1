"""Base of the losses that ask which sequences of a batch share a label."""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from dnajax.models import layers
from dnajax.shell import metric
from dnajax.training.losses import base


@dataclasses.dataclass(frozen=True, kw_only=True)
class Comparison(base.PooledLoss):
  """Every sequence with a label is compared with all others that have one.

  A subclass has

    _counted(is_same, is_other) -> [B] bool, the sequences that count
    _rows(outputs, name, is_same, is_other) -> ([B] nats, [B] share told rightly)

  with the relations of `relations`; `_rows` is finite where a sequence does not count.
  """
  rank: str  # column of labels, as "genus"; sequences without a label do not count

  compares_rows = True

  @property
  def labels(self):
    """Columns of labels that it reads."""
    return (self.rank,)

  def count(self, inputs):
    """Sequences of a batch that count."""
    return self._counted(*relations(inputs.labels[self.rank])).sum()

  def sums(self, outputs, inputs, name, *, is_training):
    """loss (nats), weight (sequences that count), correct (see the subclass)."""
    del is_training
    is_same, is_other = relations(inputs.labels[self.rank])
    is_counted = self._counted(is_same, is_other)                  # [B]
    nats, correct = self._rows(outputs, name, is_same, is_other)
    return {"loss": jnp.sum(nats, where=is_counted),
            "weight": is_counted.sum().astype(jnp.float32),
            "correct": jnp.sum(correct.astype(jnp.float32), where=is_counted)}

  def metrics(self, sums):
    """loss (nats per sequence), accuracy, num_labelled; NaN where none counts."""
    return [metric.Metric("loss", base.mean(sums, "loss"), "nats"),
            metric.Metric("accuracy", base.mean(sums, "correct"), "share"),
            metric.Metric("num_labelled", sums["weight"], "count", False)]


def relations(labels: Int[Array, "B"]) -> tuple[Bool[Array, "B B"], Bool[Array, "B B"]]:
  """(other sequences with the same label, with another label), of each row; -1 = none."""
  is_labelled = labels >= 0
  is_pair = is_labelled[:, None] & is_labelled[None]
  is_equal = labels[:, None] == labels[None]
  return is_pair & is_equal & ~jnp.eye(len(labels), dtype=bool), is_pair & ~is_equal


def cosines(x: Float[Array, "B D"]) -> Float[Array, "B B"]:
  """Cosine of every pair of rows; in full float32, because it is scaled up."""
  x = layers.unit(x)
  return jnp.dot(x, x.T, precision=jax.lax.Precision.HIGHEST)
