"""GeneMask's selection: spans, and more around the best PMI in half of them."""

import dataclasses
import functools
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from dnajax.masking import k_lowest, neighbours, pmi, selection


@dataclasses.dataclass(frozen=True)
class GeneMask(selection.Selection):
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
  half of the centres before it sorts them, so that rank plays no part in which of
  them widen: `order="public"`. That version walks a Python set, whose order for
  whole numbers is that of the position modulo the size of the set's table
  (32 for 5 to 18 centres, 128 up to 76), and so is this one; where two centres
  want the same place of the table, the earlier one comes first here and
  Python's probing decides there. (c) It also accepts [UNK].

  With `rank_by="position"` some position indices are ids of special tokens, which have
  no PMI. In the code of GeneMask they rank before every k-mer, in the version released
  with CM-GEMS with the worst: so here with `order` "sorted" and "public".
  """
  ratio: float = 0.15        # share of the maskable tokens to select
  probability: float = 0.0   # of a centre; 0: found for the ratio
  rank_by: Literal["token", "position"] = "token"  # position: as the public code
  order: Literal["sorted", "public"] = "sorted"    # which half widens: see above
  span: tuple[int, ...] = (0, -2, -1, 1, 2, 3)  # around a centre, in the order of ties
  reach: int = 5             # tokens on either side of the best k-mer of a span
  min_best: int = 5          # with fewer than that all centres widen

  needs_ranks = True

  def check(self, setup):
    """Beside the chances: the span holds its centre, and fits into a number."""
    yield from super().check(setup)
    if 0 not in self.span or len(self.span) > 2**pmi.TIE_BITS:
      yield "span", f"at most {2**pmi.TIE_BITS} offsets with 0, the centre, among them"
    for key in ("reach", "min_best"):
      if getattr(self, key) < 0:
        yield key, "at least 0"

  def __call__(self, key: Key[Array, ""], tokens: Int[Array, "B L"],
               is_maskable: Bool[Array, "B L"], *, ranks: Int[Array, "V"],
               rate: Float[Array, ""], step=None) -> Bool[Array, "B L"]:
    """See `selection.Selection`; the step is unused."""
    del step
    is_centre = jax.random.bernoulli(key, rate, tokens.shape) & is_maskable
    rank = pmi.ranks_of(self.rank_by, ranks, tokens,
                        unranked="best" if self.order == "sorted" else "worst")
    best = pmi.local_best(rank, is_maskable, self.span)            # [B, L]
    num_centres = is_centre.sum(axis=1, keepdims=True)             # [B, 1]
    num_best = (num_centres + 1) // 2
    if self.order == "sorted":
      is_chosen = k_lowest.select(
          best, is_centre, num_best, ignore_bits=pmi.TIE_BITS,
          largest=(ranks.shape[0] + 1 << pmi.TIE_BITS) - 1)
    else:
      is_chosen = k_lowest.select(set_order(num_centres, tokens.shape[1]), is_centre,
                                  num_best, largest=tokens.shape[1])
    is_chosen |= is_centre & (num_best < self.min_best)
    # b(c) is where the index of its offset, moved by that offset, comes to lie.
    index = jnp.where(is_chosen, best & (2**pmi.TIE_BITS - 1), len(self.span))
    is_best = functools.reduce(jnp.logical_or, (
        moved == i for i, moved in enumerate(
            neighbours.shifts(index, self.span, len(self.span)))))
    is_selected = (
        neighbours.dilate(is_centre, self.span)
        | neighbours.dilate(is_best, range(-self.reach, self.reach + 1)))
    return is_selected & is_maskable


def set_order(num_centres: Int[Array, "B 1"], length) -> Int[Array, "B {length}"]:
  """Place of each of `length` positions in a CPython set of that many.

  A set's table has 8 places at first and, each time that it is 3/5 full, grows
  to the power of two above four times what it holds.
  """
  table_size = 8 + sum(
      jnp.where(num_centres >= first, size - before, 0)
      for first, before, size in ((5, 8, 32), (19, 32, 128), (77, 128, 512),
                                  (307, 512, 2048)))
  return jnp.arange(length) % table_size
