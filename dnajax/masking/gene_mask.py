"""GeneMask's selection: spans, and more around the best PMI in half of them."""

import functools

import jax
import jax.numpy as jnp

from dnajax.masking import kmer_span, lowest, pmi

ORDERS = ("sorted", "public")


def gene_mask(key, tokens, is_maskable, *, ranks, probability, rank_by="token",
              order="sorted", span_offsets=(0, -2, -1, 1, 2, 3), reach=5,
              min_best=5):
  """Random spans, widened where their PMI is highest (GeneMask, ECAI 2023).

  1. Every maskable position is a centre c with the same chance (.0176 =
     .15 / 8.5 in the paper: one centre selects 8.5 tokens on average).
  2. c selects the 6-token span c-2 .. c+3.
  3. b(c) is the position of the span whose k-mer has the best PMI rank; ties
     go to the first of c, c-2, c-1, c+1, c+2, c+3.
  4. Of the n centres the best h = ceil(n/2) by the rank at b(c) also select
     b(c)-5 .. b(c)+5; ties go to the earlier centre. If h < 5 all do.

  At 506 tokens this selects about 15 %. Only maskable positions can be b(c),
  and what comes out is cut to them.

  Differs from the public code, which (a) ranks position indices instead of
  tokens: `rank_by="position"`; (b) in the version released with CM-GEMS takes
  half of the centres before it sorts them, so that rank plays no part:
  `order="public"`. That version walks a Python set, whose order for
  whole numbers is that of the position modulo the size of the set's table
  (32 for 5 to 18 centres, 128 up to 76), and so is this one; where two centres
  want the same place of the table, the earlier one comes first here and
  Python's probing decides there. (c) It also accepts [UNK].

  Args:
    key: PRNG key, consumed.
    tokens: [B, L] int32 ids.
    is_maskable: [B, L] bool; False at special tokens, padding and [UNK].
    ranks: [V] int, PMI rank of each id; see `pmi.load_ranks`.
    probability: chance that a maskable position is a centre; may be traced.
    rank_by: "token" (the paper) or "position" (the public code; position
      indices that are ids of special tokens rank before every k-mer).
    order: "sorted" (the paper) or "public", what "the best h" means.
    span_offsets: static tuple, the span around a centre in the order of ties.
    reach: static int, tokens selected on either side of b(c).
    min_best: static int, the 5 of step 4.

  Returns:
    is_selected, [B, L] bool, a subset of `is_maskable`.
  """
  if order not in ORDERS:
    raise ValueError(f"Unknown order {order!r}. Known: {', '.join(ORDERS)}.")
  if 0 not in span_offsets or len(span_offsets) > 2**pmi.TIE_BITS:
    raise ValueError(f"span_offsets={span_offsets!r} must hold 0 and at most "
                     f"{2**pmi.TIE_BITS} offsets.")
  is_centre = jax.random.bernoulli(key, probability, tokens.shape) & is_maskable
  rank = pmi.ranks_of(rank_by, ranks, tokens, unranked="best")
  best = pmi.local_best(rank, is_maskable, span_offsets)           # [B, L]
  num_centres = is_centre.sum(axis=1, keepdims=True)               # [B, 1]
  num_best = (num_centres + 1) // 2
  if order == "sorted":
    is_chosen = lowest.select(
        best, is_centre, num_best, ignore_bits=pmi.TIE_BITS,
        largest=(ranks.shape[0] + 1 << pmi.TIE_BITS) - 1)
  else:
    is_chosen = lowest.select(_set_order(num_centres, tokens.shape[1]), is_centre,
                              num_best, largest=tokens.shape[1])
  is_chosen |= is_centre & (num_best < min_best)
  # b(c) is where the index of its offset, moved by that offset, comes to lie.
  index = jnp.where(is_chosen, best & (2**pmi.TIE_BITS - 1), len(span_offsets))
  is_best = functools.reduce(jnp.logical_or, (
      moved == i for i, moved in enumerate(
          kmer_span.shifts(index, span_offsets, len(span_offsets)))))
  is_selected = (kmer_span.dilate(is_centre, span_offsets)
                 | kmer_span.dilate(is_best, range(-reach, reach + 1)))
  return is_selected & is_maskable


def _set_order(num_centres, length):
  """Place of each position in a CPython set of that many. [B, 1] -> [B, L].

  A set's table has 8 places at first and, each time that it is 3/5 full, grows
  to the power of two above four times what it holds.
  """
  table_size = 8 + sum(
      jnp.where(num_centres >= first, size - before, 0)
      for first, before, size in ((5, 8, 32), (19, 32, 128), (77, 128, 512),
                                  (307, 512, 2048)))
  return jnp.arange(length) % table_size
