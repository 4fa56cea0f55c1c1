import functools

import jax
import numpy as np
import pytest
import selection_rows

from dnajax.masking import global_pmi, pmi


def slow_global_pmi(is_hit, tokens, is_maskable, rank_at):
  """Sort the row's tokens by rank, take the top m, mask 11 around each."""
  out = np.zeros_like(is_maskable)
  for b, row in enumerate(tokens):
    places = [i for i in range(len(row)) if is_maskable[b, i]]
    m = sum(bool(is_hit[b, i]) for i in places)
    for top in sorted(places, key=lambda i: (rank_at(i, row[i]), i))[:m]:
      for i in places:
        if abs(i - top) <= 5:
          out[b, i] = True
  return out


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("rank_by", pmi.RANK_BY)
@pytest.mark.parametrize("k, length", selection_rows.SHAPES)
def test_global_pmi_is_the_definition(jit, rank_by, k, length):
  tokens, is_maskable = selection_rows.rows(k, length)
  ranks = selection_rows.some_ranks(k)

  def rank_at(position, token):
    if rank_by == "token":
      return ranks[token]
    is_kmer = 5 <= position < len(ranks)  # others: last, with the worst k-mer
    return ranks[position] if is_kmer else 4**k

  fn = functools.partial(global_pmi.global_pmi, ranks=ranks, rank_by=rank_by)
  fn = jax.jit(fn) if jit else fn
  for probability in np.float32([0.0, 0.0136, 0.1, 1.0]):
    key = jax.random.fold_in(jax.random.key(length), int(1000 * probability))
    got = fn(key, tokens, is_maskable, probability=probability)
    is_hit = np.asarray(jax.random.bernoulli(key, probability, tokens.shape))
    want = slow_global_pmi(is_hit, tokens, is_maskable, rank_at)
    np.testing.assert_array_equal(got, want)
  assert got.dtype == bool


def test_where_the_hits_are_does_not_matter():
  tokens, is_maskable = selection_rows.rows(6, 130)
  ranks = selection_rows.some_ranks(6)
  results = set()
  for i in (3, 40, 77):
    is_hit = np.zeros(tokens.shape, np.float32)
    is_hit[0, i:i + 4] = 1
    got = global_pmi.global_pmi(jax.random.key(0), tokens, is_maskable,
                                ranks=ranks, probability=is_hit)
    results.add(np.asarray(got[0]).tobytes())
    assert np.asarray(got[1:]).sum() == 0
  assert len(results) == 1


def test_an_unknown_rank_by_is_refused():
  tokens, is_maskable = selection_rows.rows(3, 41)
  with pytest.raises(ValueError, match="Unknown rank_by 'id'. Known: token"):
    global_pmi.global_pmi(jax.random.key(0), tokens, is_maskable,
                          ranks=selection_rows.some_ranks(3), probability=0.1,
                          rank_by="id")
