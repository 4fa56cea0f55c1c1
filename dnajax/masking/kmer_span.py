"""DNABERT's selection: random centres, each with its k - 1 neighbours."""

import functools

import jax
import jax.numpy as jnp

# What DNABERT masks around a centre, for each k (examples/run_pretrain.py; the
# centre itself is written out here). A run of k overlapping k-mers hides one
# nucleotide completely: every k-mer that holds it is selected.
OFFSETS = {
    3: (-1, 0, 1),
    4: (-1, 0, 1, 2),
    5: (-2, -1, 0, 1, 2),
    6: (-2, -1, 0, 1, 2, 3),
}


def kmer_span(key, tokens, is_maskable, *, probability, offsets):
  """Random centres, each with its neighbouring k-mers (DNABERT).

  Every maskable position is a centre with the same chance, independently; a
  centre selects itself and its neighbours, and spans may overlap. DNABERT uses
  probability .025 at k = 6, which selects 14.1 % of 506 tokens.

  Differs from the public code: spans are cut to the maskable positions. The
  public code cuts them to the stretch between [CLS] and [SEP] and so also
  selects [UNK] there.

  Args:
    key: PRNG key, consumed.
    tokens: [B, L] int32. Unused; every selection has the same signature.
    is_maskable: [B, L] bool; False at special tokens, padding and [UNK].
    probability: chance that a maskable position is a centre; may be traced.
    offsets: static tuple of ints around a centre, 0 included; see `OFFSETS`.

  Returns:
    is_selected, [B, L] bool, a subset of `is_maskable`.
  """
  is_centre = jax.random.bernoulli(key, probability, tokens.shape) & is_maskable
  return dilate(is_centre, offsets) & is_maskable


def dilate(is_set, offsets):
  """True at i + o for every True at i and every o in `offsets`.

  Args:
    is_set: [B, L] bool.
    offsets: static tuple of ints. What falls off either end is lost.

  Returns:
    [B, L] bool; all False without offsets.
  """
  return functools.reduce(
      jnp.logical_or, shifts(is_set, offsets, False), jnp.zeros_like(is_set))


def shifts(array, offsets, fill):
  """Copies of an array: in the copy of offset o, what was at i is at i + o.

  All are slices of one padded array: XLA on a CPU then computes `array` once,
  where a pad for each offset makes it compute it again for each.

  Args:
    array: [B, L].
    offsets: static tuple of ints of any size and sign.
    fill: value of the positions that nothing moved to.

  Returns:
    list of [B, L], in the order of `offsets`.
  """
  length = array.shape[1]
  reach = max(map(abs, offsets), default=0)
  padded = jnp.pad(array, ((0, 0), (reach, reach)), constant_values=fill)
  return [padded[:, reach - offset:reach - offset + length]
          for offset in offsets]
