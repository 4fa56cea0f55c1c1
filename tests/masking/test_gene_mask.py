import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import selection_rows

from dnajax.masking import gene_mask


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


def rank_at(rank_by, order, ranks):
  """(position, id) -> rank, as the selection should see it."""
  if rank_by == "token":
    return lambda position, token: ranks[token]

  def of_position(position, token):
    # Ids of special tokens are not in the table, which answers 0; the code released
    # with CM-GEMS makes that 4096.
    rank = ranks[position] if position < len(ranks) else 0
    return ranks.max() if not rank and order == "public" else rank

  return of_position


@pytest.mark.parametrize("order", ["sorted", "public"])
@pytest.mark.parametrize("rank_by", ["token", "position"])
@pytest.mark.parametrize("k, length, jit", [
    *[(*shape, True) for shape in selection_rows.SHAPES], (3, 1, False), (6, 41, False)])
def test_gene_mask_is_the_definition(jit, order, rank_by, k, length):
  tokens, is_maskable = selection_rows.rows(k, length)
  ranks = selection_rows.some_ranks(k)
  call = selection_rows.caller(
      gene_mask.GeneMask(rank_by=rank_by, order=order), ranks, jit=jit)
  for probability in np.float32([0.0, 0.0176, 0.1, 0.6]):
    key = jax.random.fold_in(jax.random.key(length), int(1000 * probability))
    got = call(key, tokens, is_maskable, probability)
    is_hit = np.asarray(jax.random.bernoulli(key, probability, tokens.shape))
    want = slow_gene_mask(is_hit, tokens, is_maskable, rank_at(rank_by, order, ranks),
                          order)
    np.testing.assert_array_equal(got, want)
  assert got.dtype == bool


@pytest.mark.parametrize("order, widened_around", [("sorted", 4), ("public", 9)])
def test_positions_of_special_ids_rank_best_in_one_public_code_and_worst_in_the_other(
    monkeypatch, order, widened_around):
  # The span of centre 6 is 4..9; 4 is the id of [MASK], and 9 the id of the best k-mer.
  monkeypatch.setattr(jax.random, "bernoulli",
                      lambda key, p, shape: jnp.arange(shape[1])[None] == 6)
  ranks = np.array([0, 0, 0, 0, 0, 5, 4, 3, 2, 1], np.int32)
  call = selection_rows.caller(
      gene_mask.GeneMask(rank_by="position", order=order), ranks, jit=False)
  got = call(jax.random.key(0), np.full((1, 30), 7, np.int32), np.ones((1, 30), bool), 1)
  first = max(widened_around - 5, 0)
  assert np.flatnonzero(got[0]).tolist() == list(range(first, widened_around + 6))


@pytest.fixture
def widened(monkeypatch):
  """(num_centres, order) -> centres, 20 tokens apart, that widen their span.

  The best rank stands two tokens before each centre; the later the centre, the
  better. So an unwidened centre selects 6 tokens and a widened one 11 + 1.
  """
  def run(num_centres, order="sorted"):
    length = 20 * num_centres + 20
    centres = 20 * np.arange(num_centres) + 10
    tokens = np.full((1, length), 5 + 300, np.int32)
    tokens[0, centres - 2] = 5 + num_centres - 1 - np.arange(num_centres)
    ranks = np.concatenate([np.zeros(5), 1 + np.arange(4**6)]).astype(np.int32)
    is_centre = jnp.zeros((1, length), bool).at[0, centres].set(True)
    monkeypatch.setattr(jax.random, "bernoulli", lambda *args: is_centre)
    call = selection_rows.caller(gene_mask.GeneMask(order=order), ranks, jit=False)
    got = call(jax.random.key(0), tokens, np.ones((1, length), bool), 1)[0]
    return [i for i, c in enumerate(centres) if got[c - 7:c + 10].sum() == 11]

  return run


def test_eight_centres_all_widen_and_of_nine_the_best_five(widened):
  assert widened(1) == [0]
  assert widened(8) == list(range(8))
  assert widened(9) == [4, 5, 6, 7, 8]
  assert widened(12) == [6, 7, 8, 9, 10, 11]


def test_public_order_takes_half_of_a_python_set(widened):
  for num_centres in (8, 9, 12):
    centres = [20 * i + 10 for i in range(num_centres)]
    walked = [centres.index(c) for c in set(centres)]
    half = math.ceil(num_centres / 2)
    want = sorted(walked[:half] if half >= 5 else walked)
    assert widened(num_centres, "public") == want


@pytest.mark.parametrize("num_centres", [4, 5, 18, 19, 76, 77, 306, 307])
def test_set_order_is_that_of_a_python_set_where_no_two_want_one_place(num_centres):
  order = np.asarray(gene_mask.set_order(jnp.full((1, 1), num_centres), 4096))[0]
  places, first_seen = np.unique(
      np.random.default_rng(0).permutation(4096) % (order.max() + 1),
      return_index=True)
  rng = np.random.default_rng(num_centres)
  chosen = rng.permutation(places)[:num_centres]
  centres = [int(p + (order.max() + 1) * rng.integers(4096 // (order.max() + 1)))
             for p in chosen]
  assert len(first_seen) == order.max() + 1
  assert list(set(sorted(centres))) == sorted(centres, key=lambda c: order[c])
