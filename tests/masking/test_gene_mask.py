import functools
import math

import jax
import numpy as np
import pytest
import selection_rows

from dnajax.masking import gene_mask, pmi


def slow_gene_mask(is_hit, tokens, is_maskable, rank_at, order):
  """Section 5.1 of the paper, row by row; rank_at(position, id) is its rank."""
  out = np.zeros_like(is_maskable)
  num_rows, length = is_maskable.shape
  for b in range(num_rows):
    may = lambda i, b=b: 0 <= i < length and is_maskable[b, i]
    centres = [i for i in range(length) if is_hit[b, i] and is_maskable[b, i]]
    if order == "public":
      table = next(size for most, size in (
          (4, 8), (18, 32), (76, 128), (306, 512), (10**6, 2048))
                   if len(centres) <= most)
      centres.sort(key=lambda c: c % table)  # stable: ties stay in order
    best = []
    for c in centres:
      span = [c] + [c + o for o in (-2, -1, 1, 2, 3) if may(c + o)]
      out[b, span] = True
      winner = span[0]
      for i in span[1:]:
        if rank_at(i, tokens[b, i]) < rank_at(winner, tokens[b, winner]):
          winner = i
      best.append((rank_at(winner, tokens[b, winner]), winner))
    num_best = math.ceil(len(centres) / 2)
    if order == "sorted":
      best.sort(key=lambda pair: pair[0])
    if num_best < 5:
      num_best = len(best)
    for _, winner in best[:num_best]:
      for i in range(winner - 5, winner + 6):
        if may(i):
          out[b, i] = True
  return out


def rank_by_token(ranks):
  return lambda position, token: ranks[token]


def rank_by_position(ranks):
  # Ids of special tokens are not in the table, which answers 0.
  return lambda position, token: ranks[position] if position < len(ranks) else 0


@pytest.mark.parametrize("order", gene_mask.ORDERS)
@pytest.mark.parametrize("rank_by", pmi.RANK_BY)
@pytest.mark.parametrize("k, length, jit", [
    *[(*shape, True) for shape in selection_rows.SHAPES], (3, 1, False), (6, 41, False)])
def test_gene_mask_is_the_definition(jit, order, rank_by, k, length):
  tokens, is_maskable = selection_rows.rows(k, length)
  ranks = selection_rows.some_ranks(k)
  fn = functools.partial(gene_mask.gene_mask, ranks=ranks, rank_by=rank_by,
                         order=order)
  fn = jax.jit(fn) if jit else fn
  rank_at = (rank_by_token if rank_by == "token" else rank_by_position)(ranks)
  for probability in np.float32([0.0, 0.0176, 0.1, 0.6]):
    key = jax.random.fold_in(jax.random.key(length), int(1000 * probability))
    got = fn(key, tokens, is_maskable, probability=probability)
    is_hit = np.asarray(jax.random.bernoulli(key, probability, tokens.shape))
    want = slow_gene_mask(is_hit, tokens, is_maskable, rank_at, order)
    np.testing.assert_array_equal(got, want)
  assert got.dtype == bool


def widened(num_centres, order="sorted"):
  """Centres, 20 tokens apart, that widen their span by 11 around the best.

  The best rank stands two tokens before each centre; the later the centre, the
  better. So an unwidened centre selects 6 tokens and a widened one 11 + 1.
  """
  length = 20 * num_centres + 20
  centres = 20 * np.arange(num_centres) + 10
  tokens = np.full((1, length), 5 + 300, np.int32)
  tokens[0, centres - 2] = 5 + num_centres - 1 - np.arange(num_centres)
  ranks = np.concatenate([np.zeros(5), 1 + np.arange(4**6)]).astype(np.int32)
  is_centre = np.zeros((1, length), np.float32)
  is_centre[0, centres] = 1
  got = np.asarray(gene_mask.gene_mask(
      jax.random.key(0), tokens, np.ones((1, length), bool), ranks=ranks,
      probability=is_centre, order=order))[0]
  return [i for i, c in enumerate(centres) if got[c - 7:c + 10].sum() == 11]


def test_eight_centres_all_widen_and_of_nine_the_best_five():
  assert widened(1) == [0]
  assert widened(8) == list(range(8))
  assert widened(9) == [4, 5, 6, 7, 8]
  assert widened(12) == [6, 7, 8, 9, 10, 11]


def test_public_order_takes_half_of_a_python_set():
  for num_centres in (8, 9, 12):
    centres = [20 * i + 10 for i in range(num_centres)]
    walked = [centres.index(c) for c in set(centres)]
    half = math.ceil(num_centres / 2)
    want = sorted(walked[:half] if half >= 5 else walked)
    assert widened(num_centres, "public") == want


@pytest.mark.parametrize("num_centres", [4, 5, 18, 19, 76, 77, 306, 307])
def test_set_order_is_that_of_a_python_set_where_no_two_want_one_place(
    num_centres):
  order = np.asarray(gene_mask._set_order(np.full((1, 1), num_centres), 4096))[0]
  places, first_seen = np.unique(
      np.random.default_rng(0).permutation(4096) % (order.max() + 1),
      return_index=True)
  rng = np.random.default_rng(num_centres)
  chosen = rng.permutation(places)[:num_centres]
  centres = [int(p + (order.max() + 1) * rng.integers(4096 // (order.max() + 1)))
             for p in chosen]
  assert len(first_seen) == order.max() + 1
  assert list(set(sorted(centres))) == sorted(centres, key=lambda c: order[c])


def test_an_unknown_order_or_rank_by_is_refused():
  tokens, is_maskable = selection_rows.rows(3, 41)
  call = functools.partial(
      gene_mask.gene_mask, jax.random.key(0), tokens, is_maskable,
      ranks=selection_rows.some_ranks(3), probability=0.1)
  with pytest.raises(ValueError, match="Unknown order 'paper'. Known: sorted"):
    call(order="paper")
  with pytest.raises(ValueError, match="Unknown rank_by 'id'. Known: token"):
    call(rank_by="id")
  with pytest.raises(ValueError, match="span_offsets"):
    call(span_offsets=(1, 2))
