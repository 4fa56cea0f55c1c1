"""Uniform selection: every token alike (BarcodeBERT, BarcodeMAE)."""

import dataclasses
import math
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from dnajax.masking import k_lowest, selection


@dataclasses.dataclass(frozen=True)
class Uniform(selection.Selection):
  """Selects maskable tokens with equal chance.

  "bernoulli" draws each token independently (BarcodeMAE, papers' code); "exact" selects
  floor(ratio * n + 1/2) of a row's n maskable tokens, those with the smallest draws
  (ties: the earlier position).
  """
  ratio: float = 0.15   # share of the maskable tokens
  count: Literal["bernoulli", "exact"] = "bernoulli"  # each by itself, or so many a row

  rate_name = "ratio"

  def check(self, setup):
    """The ratio is a share."""
    del setup
    if not 0 < self.ratio < 1:
      yield "ratio", "between 0 and 1"

  def rates(self):
    """The ratio: nothing is to be found."""
    return (self.ratio,)

  def with_rates(self, rates):
    """The selection with another ratio."""
    return dataclasses.replace(self, ratio=rates[0])

  def expected(self, length, rate):
    """Binomial, or without spread."""
    rate = min(rate, 1)
    is_exact = self.count == "exact"
    return length * rate, 0.0 if is_exact else math.sqrt(length * rate * (1 - rate))

  def __call__(self, key: Key[Array, ""], tokens: Int[Array, "B L"],
               is_maskable: Bool[Array, "B L"], *, ranks=None, rate: Float[Array, ""],
               step=None) -> Bool[Array, "B L"]:
    """See `selection.Selection`; `rate` is the ratio. Tokens, ranks, step are unused."""
    del ranks, step
    if self.count == "bernoulli":
      return (jax.random.uniform(key, tokens.shape) < rate) & is_maskable
    num_wanted = jnp.floor(
        rate * is_maskable.sum(axis=1, keepdims=True) + 0.5)       # [B, 1]
    draws, largest = k_lowest.draws(key, tokens.shape)
    return k_lowest.select(draws, is_maskable, num_wanted.astype(jnp.int32),
                           largest=largest)
