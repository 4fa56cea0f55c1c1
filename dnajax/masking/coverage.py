"""How much of the DNA a masking hides."""

import functools

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from dnajax.masking import neighbours


def hidden_bases(
    is_selected: Bool[Array, "B L"], is_maskable: Bool[Array, "B L"], *, k, stride,
    num_leading) -> tuple[Float[Array, ""], Float[Array, ""]]:
  """Nucleotides that no visible k-mer holds.

  With overlapping k-mers one masked token hides nothing: its neighbours show
  all of its letters. A run of m selected tokens of stride 1 hides m - k + 1
  nucleotides, more at the ends of a row (papers: DNABERT's span of 6 hides 1).

  Args:
    is_selected: tokens that are predicted.
    is_maskable: k-mers without unknown letters.
    k: letters per token, static.
    stride: letters from one token to the next, static.
    num_leading: tokens in front of the first k-mer ([CLS]), static.

  Returns:
    (hidden, all): nucleotides of the batch that are in maskable k-mers only of
    which all are selected, and in maskable k-mers.
  """
  selected, maskable = is_selected[:, num_leading:], is_maskable[:, num_leading:]
  covered = _covered(maskable, k, stride)
  visible = _covered(maskable & ~selected, k, stride)
  return ((covered & ~visible).sum(dtype=jnp.float32),
          covered.sum(dtype=jnp.float32))


def _covered(is_token, k, stride):
  """[B, L] tokens -> [B, L * stride + k] bases that at least one of them holds."""
  at_start = jnp.zeros((*is_token.shape, stride), bool).at[:, :, 0].set(is_token)
  at_start = at_start.reshape(is_token.shape[0], -1)
  at_start = jnp.pad(at_start, ((0, 0), (0, k)))
  return functools.reduce(jnp.logical_or,
                          neighbours.shifts(at_start, range(k), False))
