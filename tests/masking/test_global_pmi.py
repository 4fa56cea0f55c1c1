import jax
import jax.numpy as jnp
import numpy as np
import pytest
import selection_rows

from dnajax.masking import global_pmi


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


@pytest.mark.parametrize("rank_by", ["token", "position"])
@pytest.mark.parametrize("k, length, jit", [
    *[(*shape, True) for shape in selection_rows.SHAPES], (3, 1, False), (6, 41, False)])
def test_global_pmi_is_the_definition(jit, rank_by, k, length):
  tokens, is_maskable = selection_rows.rows(k, length)
  ranks = selection_rows.some_ranks(k)

  def rank_at(position, token):
    if rank_by == "token":
      return ranks[token]
    is_kmer = 5 <= position < len(ranks)  # others: last, with the worst k-mer
    return ranks[position] if is_kmer else 4**k

  call = selection_rows.caller(global_pmi.GlobalPmi(rank_by=rank_by), ranks, jit=jit)
  for probability in np.float32([0.0, 0.0136, 0.1, 1.0]):
    key = jax.random.fold_in(jax.random.key(length), int(1000 * probability))
    got = call(key, tokens, is_maskable, probability)
    is_hit = np.asarray(jax.random.bernoulli(key, probability, tokens.shape))
    want = slow_global_pmi(is_hit, tokens, is_maskable, rank_at)
    np.testing.assert_array_equal(got, want)
  assert got.dtype == bool


def test_where_the_hits_are_does_not_matter(monkeypatch):
  tokens, is_maskable = selection_rows.rows(6, 130)
  call = selection_rows.caller(
      global_pmi.GlobalPmi(), selection_rows.some_ranks(6), jit=False)
  results = set()
  for i in (3, 40, 77):
    is_hit = jnp.zeros(tokens.shape, bool).at[0, i:i + 4].set(True)
    monkeypatch.setattr(jax.random, "bernoulli", lambda *args, hit=is_hit: hit)
    got = call(jax.random.key(0), tokens, is_maskable, 1)
    results.add(got[0].tobytes())
    assert got[0].any() and not got[1:].any()
  assert len(results) == 1
