import itertools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import selection_rows

from dnajax.masking import pmi
from dnajax.shell import errors
from dnajax.tokens import vocabulary


def write_table(path, k=2, **changes):
  """A table whose k-mers come in alphabetical order and whose ranks do not."""
  kmers = np.array(["".join(x) for x in itertools.product("ACGT", repeat=k)])
  rank = 1 + np.random.default_rng(0).permutation(len(kmers))
  arrays = dict(kmers=kmers, score=-np.log(rank), rank=rank, count=rank + 100,
                provenance=json.dumps({"method": "exact"}))
  arrays = {**arrays, **changes}
  np.savez(path, **{name: x for name, x in arrays.items() if x is not None})
  return dict(zip(kmers.tolist(), rank.tolist(), strict=True))


@pytest.mark.parametrize("vocab", [
    vocabulary.Vocabulary(2), vocabulary.Vocabulary(2, add_cls=True),
    vocabulary.Vocabulary(2, "in_vocabulary"), selection_rows.AtcgVocabulary(2)])
def test_every_kmer_gets_its_rank_whatever_the_order_of_ids(tmp_path, vocab):
  rank_of = write_table(tmp_path / "t.npz")
  got = pmi.load_ranks(tmp_path / "t.npz", vocab)
  assert got.dtype == np.int32 and got.shape == (vocab.size,)
  assert [rank_of.get(name, 0) for name in vocab.names()] == got.tolist()
  assert pmi.read_provenance(tmp_path / "t.npz") == {"method": "exact"}


def test_a_wrong_table_is_refused_with_its_name_and_a_remedy(tmp_path):
  vocab = vocabulary.Vocabulary(2)

  def refused(match, path=tmp_path / "t.npz"):
    with pytest.raises(errors.UserError, match=match) as caught:
      pmi.load_ranks(path, vocab)
    assert str(path) in str(caught.value)
    assert "data_pipelines.npmi" in str(caught.value) or "--k=2" in str(caught.value)

  refused("There is no PMI table", tmp_path / "missing.npz")
  refused("is not a PMI table", tmp_path)
  (tmp_path / "text.npz").write_text("ngram,rank\nAA,1\n")
  refused("is not a PMI table", tmp_path / "text.npz")
  (tmp_path / "empty.npz").write_bytes(b"")
  refused("is not a PMI table", tmp_path / "empty.npz")
  np.save(tmp_path / "one.npy", np.zeros(3))
  refused("is not a PMI table", tmp_path / "one.npy")
  write_table(tmp_path / "t.npz")
  (tmp_path / "cut.npz").write_bytes((tmp_path / "t.npz").read_bytes()[:-99])
  refused("is not a PMI table", tmp_path / "cut.npz")
  write_table(tmp_path / "t.npz", kmers=np.array(["AA", None], object))
  refused("is not a PMI table")  # would need pickle
  write_table(tmp_path / "t.npz", rank=None)
  refused("lacks the array 'rank'")
  write_table(tmp_path / "t.npz", k=3)
  refused("k-mers of 3 letters, but tokens.k=2")
  write_table(tmp_path / "t.npz", kmers=np.array(["AA", "AC"]), rank=np.arange(1, 3))
  refused("holds 2 k-mers where k=2 has 16; AG is missing")
  write_table(tmp_path / "t.npz", rank=np.arange(16))
  refused("not a ranking 1..16")
  write_table(tmp_path / "t.npz", rank=np.arange(1, 16))
  refused("'rank' has 15 entries for 16 k-mers")
  write_table(tmp_path / "t.npz", provenance="{")
  with pytest.raises(errors.UserError, match="'provenance' is not JSON"):
    pmi.read_provenance(tmp_path / "t.npz")


def test_tokens_without_a_rank_count_as_the_worst_kmer():
  ranks = jnp.array([0, 0, 2, 4, 1, 3, 0], jnp.int32)
  got = pmi.token_ranks(ranks, jnp.array([[0, 2, 3], [5, 6, 4]], jnp.int32))
  assert got.tolist() == [[4, 2, 4], [3, 4, 1]]


def test_position_ranks_read_the_position_as_an_id():
  ranks = jnp.array([0, 0, 2, 4, 1, 3], jnp.int32)
  best = pmi.position_ranks(ranks, 8, unranked="best")
  assert best.tolist() == [0, 0, 2, 4, 1, 3, 0, 0]
  worst = pmi.position_ranks(ranks, 8, unranked="worst")
  assert worst.tolist() == [4, 4, 2, 4, 1, 3, 4, 4]
  assert pmi.position_ranks(ranks, 3, unranked="best").tolist() == [0, 0, 2]
  with pytest.raises(ValueError, match="unranked='none'"):
    pmi.position_ranks(ranks, 3, unranked="none")


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("num_ids", [40, 8190, 8191, 65541])
@pytest.mark.parametrize("length", [0, 1, 2, 30])
def test_local_best_is_the_first_of_the_best_candidates(jit, num_ids, length):
  offsets = (0, -2, -1, 1, 2, 3)
  rng = np.random.default_rng(length)
  ranks = jnp.arange(num_ids, dtype=jnp.int32)
  tokens = (num_ids - 1 - rng.integers(0, 4, (9, length))).astype(np.int32)
  is_candidate = rng.random(tokens.shape) < 0.6

  def fn(tokens, is_candidate):
    rank = pmi.ranks_of("token", ranks, tokens, unranked="best")
    return pmi.local_best(rank, is_candidate, offsets)

  got = np.asarray((jax.jit(fn) if jit else fn)(
      jnp.asarray(tokens), jnp.asarray(is_candidate)))
  for b, i in np.ndindex(*tokens.shape):
    reachable = [(tokens[b, i + o], index) for index, o in enumerate(offsets)
                 if 0 <= i + o < length and is_candidate[b, i + o]]
    want = min(reachable, default=None)
    if want is None:
      assert got[b, i] == np.iinfo(got.dtype).max
    else:
      assert (got[b, i] >> pmi.TIE_BITS, got[b, i] % 2**pmi.TIE_BITS) == want
