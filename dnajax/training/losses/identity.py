"""Features that are as similar as the sequences are, without labels."""

import dataclasses

import jax
import jax.numpy as jnp

from dnajax.shell import metric
from dnajax.training.losses import base, comparison


@dataclasses.dataclass(frozen=True, kw_only=True)
class Identity(base.BatchLoss):
  """Cosines of pooled features are to be those of the letters, place by place.

  The letters of a row, one number for each letter at each place, less their mean over the
  batch: their cosine is the identity of two aligned sequences beyond what any two share.
  loss: squared differences over all pairs, as a share of the squares of what is asked for:
  0 is a perfect picture, 1 as good as no similarity at all (stress, Kruskal 1964; distances
  of sequences learned by an encoder: Corso et al. 2021). This project's own.
  """

  name = "identity"

  def check(self, setup):
    """Rows that stand side by side."""
    yield from super().check(setup)
    if setup.tokenizer is not None and not setup.tokenizer.consensus:
      yield "name", ("another one, or config.tokens.align_to='train': it compares what stands "
                     "at the same place of two rows")

  def sums(self, outputs, inputs, name, *, is_training):
    """weight (sequences), loss (share), times the sequences."""
    del name, is_training
    is_real = inputs.is_real
    asked = jax.lax.stop_gradient(_cosines(inputs.bases, is_real))             # [B, B]
    is_pair = is_real[:, None] & is_real & ~jnp.eye(len(is_real), dtype=bool)
    difference = comparison.cosines(self._features(outputs)) - asked
    share = (jnp.sum(jnp.square(difference), where=is_pair)
             / jnp.maximum(jnp.sum(jnp.square(asked), where=is_pair), 1e-6))
    weight = self.count(inputs).astype(jnp.float32)
    return {"weight": weight, "loss": weight * share}

  def metrics(self, sums):
    """loss (share, 0 for the same similarities); NaN over nothing."""
    return [metric.Metric("loss", base.mean(sums, "loss"))]


def _cosines(bases, is_real):
  """Of the letters less their mean over the real rows; other rows count nothing."""
  x = (bases[..., None] == jnp.arange(4, dtype=bases.dtype)).astype(jnp.float32)
  x = jnp.where(is_real[:, None], x.reshape(len(x), -1), 0)                # [B, 4 bp]
  x -= x.sum(axis=0) / jnp.maximum(is_real.sum(), 1)
  return comparison.cosines(x)
