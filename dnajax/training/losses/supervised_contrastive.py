"""Sequences of one class against all others of the batch."""

import dataclasses

import jax
import jax.numpy as jnp

from dnajax.training.losses import comparison


@dataclasses.dataclass(frozen=True, kw_only=True)
class SupervisedContrastive(comparison.Comparison):
  """Khosla et al. 2020, L_out (equation 2), of the cosines of the pooled features.

  -1/|P| · sum over p in P of log(exp(cos(i, p)/τ) / sum over a in A of exp(cos(i, a)/τ)):
  A are the other labelled sequences of the batch, P those with the label of i. A sequence
  with an empty P does not count. Accuracy: the nearest in A is in P.
  """
  temperature: float = 0.07  # τ

  name = "supervised_contrastive"

  def check(self, setup):
    """A temperature."""
    yield from super().check(setup)
    if not self.temperature > 0:
      yield "temperature", "above 0"

  def _counted(self, is_same, is_other):
    del is_other
    return is_same.any(axis=1)

  def _rows(self, outputs, name, is_same, is_other):
    del name
    logits = comparison.cosines(self._features(outputs)) / self.temperature  # [B, B]
    # Far below every logit, not -inf: rows without any other sequence stay finite.
    logits = jnp.where(is_same | is_other, logits, -1e9)
    log_p = logits - jax.nn.logsumexp(logits, axis=1, keepdims=True)
    positives = jnp.sum(log_p, axis=1, where=is_same) / jnp.maximum(is_same.sum(axis=1), 1)
    nearest = logits.argmax(axis=1)
    is_right = jnp.take_along_axis(is_same, nearest[:, None], axis=1)[:, 0]
    return -positives, is_right
