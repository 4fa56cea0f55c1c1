"""Uniform selection: every token alike (BarcodeBERT, BarcodeMAE)."""

import jax
import jax.numpy as jnp

from dnajax.masking import lowest

COUNTS = ("bernoulli", "exact")


def uniform(key, tokens, is_maskable, *, ratio, count="bernoulli"):
  """Selects maskable tokens with equal chance.

  Args:
    key: PRNG key, consumed.
    tokens: [B, L] int32. Unused; every selection has the same signature.
    is_maskable: [B, L] bool; False at special tokens, padding and [UNK].
    ratio: share of the maskable tokens, 0..1.
    count: "bernoulli" draws each token independently (BarcodeMAE, papers'
      code); "exact" selects floor(ratio * n + 1/2) of a row's n maskable
      tokens, those with the smallest draws (ties: the earlier position).

  Returns:
    is_selected, [B, L] bool, a subset of `is_maskable`.
  """
  if count == "bernoulli":
    return (jax.random.uniform(key, tokens.shape) < ratio) & is_maskable
  num_wanted = jnp.floor(
      ratio * is_maskable.sum(axis=1, keepdims=True) + 0.5)        # [B, 1]
  draws, largest = lowest.draws(key, tokens.shape)
  return lowest.select(draws, is_maskable, num_wanted.astype(jnp.int32),
                       largest=largest)
