"""Against features that collapse, without labels."""

import dataclasses

import jax
import jax.numpy as jnp

from dnajax.shell import metric
from dnajax.training.losses import base

_EPSILON = 1e-4  # under the root, Bardes et al. 2022, equation 2


@dataclasses.dataclass(frozen=True, kw_only=True)
class Vicreg(base.BatchLoss):
  """Variance and covariance of the pooled features (VICReg, Bardes et al. 2022).

  Equations 1 to 4 without the invariance term: of one view of each sequence. Each of the
  D features is to have a standard deviation of `target_std` over the batch, and no two
  are to be correlated. Features are centred, not normalised: their size is what the
  variance is about. The paper's weights, 25 and 1, are here 1 and .04.
  """
  variance: float = 1.0     # weight of the mean shortfall of the standard deviations
  covariance: float = 0.04  # weight of the sum of squared covariances of two features, / D
  target_std: float = 1.0   # γ

  name = "vicreg"

  def check(self, setup):
    """Weights and a target."""
    yield from super().check(setup)
    for key in ("variance", "covariance"):
      if getattr(self, key) < 0:
        yield key, "at least 0"
    if not self.variance + self.covariance > 0:
      yield "variance", "above 0 where covariance is 0; leave a loss out to do without it"
    if not self.target_std > 0:
      yield "target_std", "above 0"

  def sums(self, outputs, inputs, name, *, is_training):
    """weight (sequences); loss, variance and covariance (its terms, before their weights),
    std (mean standard deviation), each times the sequences."""
    del name, is_training
    x, is_real = self._features(outputs), inputs.is_real[:, None]  # [B, D], [B, 1]
    number = is_real.sum()
    x = jnp.where(is_real, x, 0)
    x = jnp.where(is_real, x - x.sum(axis=0) / jnp.maximum(number, 1), 0)
    products = jnp.dot(x.T, x, precision=jax.lax.Precision.HIGHEST)
    products /= jnp.maximum(number - 1, 1)                         # [D, D]
    std = jnp.sqrt(jnp.diagonal(products) + _EPSILON)
    variance = jnp.maximum(self.target_std - std, 0).mean()
    is_apart = ~jnp.eye(len(products), dtype=bool)
    covariance = jnp.sum(jnp.square(products), where=is_apart) / len(products)
    weight = self.count(inputs).astype(jnp.float32)
    return {"weight": weight, "variance": weight * variance,
            "covariance": weight * covariance, "std": weight * std.mean(),
            "loss": weight * (self.variance * variance + self.covariance * covariance)}

  def metrics(self, sums):
    """loss, its terms, std (mean standard deviation of a feature); NaN over nothing."""
    return [metric.Metric(key, base.mean(sums, key))
            for key in ("loss", "variance", "covariance", "std")]
