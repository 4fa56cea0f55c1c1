import functools

import jax
import numpy as np
import oracles
import pytest

from dnajax.tokens import bases, kmers, vocabulary


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("add_cls", [False, True])
@pytest.mark.parametrize("n_policy", ["unk", "in_vocabulary"])
@pytest.mark.parametrize("k,stride,num_bases",
                         [(1, 1, 5), (3, 3, 20), (4, 1, 4), (3, 2, 17), (4, 4, 3)])
def test_tokens_are_the_definition(jit, add_cls, n_policy, k, stride, num_bases):
  rng = np.random.default_rng(k * 100 + num_bases)
  codes = oracles.random_codes(rng, 6, num_bases, unknown_share=0.2)
  vocab = vocabulary.Vocabulary(k, n_policy, add_cls)
  fn = functools.partial(kmers.tokenize, vocabulary=vocab, stride=stride)
  got = (jax.jit(fn) if jit else fn)(codes)
  names = oracles.kmer_names(k, n_policy, add_cls)
  assert vocab.names() == names and vocab.size == len(names)
  num_kmers = max(0, (num_bases - k) // stride + 1)
  for row in range(len(codes)):
    expected = oracles.slow_tokens(
        oracles.text(codes[row]).rstrip("."), names=names, k=k, stride=stride,
        num_kmers=num_kmers)
    for array, want in zip((got.ids, got.is_maskable, got.pad_mask), expected,
                           strict=True):
      np.testing.assert_array_equal(array[row], want)


def test_an_offset_leaves_out_bases_at_the_start():
  rng = np.random.default_rng(0)
  codes = oracles.random_codes(rng, 8, 29)
  vocab = vocabulary.Vocabulary(3)
  offset = np.arange(8, dtype=np.int32) % 3
  got = kmers.tokenize(codes, vocabulary=vocab, stride=3, offset=offset, length=27)
  for row in range(8):
    shifted = np.concatenate([codes[row, offset[row]:], [5, 5, 5]])[None, :27]
    want = kmers.tokenize(shifted, vocabulary=vocab, stride=3)
    np.testing.assert_array_equal(got.ids[row], want.ids[0])
    np.testing.assert_array_equal(got.pad_mask[row], want.pad_mask[0])
  assert got.ids.shape == (8, 9)


def test_published_ids_of_barcodemae():
  vocab = vocabulary.Vocabulary(6)
  names = vocab.names()
  assert vocab.size == 4098 and vocab.num_classes == 4096
  assert [names.index(n) for n in ("[MASK]", "[UNK]", "AAAAAA", "AAAAAC",
                                   "TTTTTT")] == [0, 1, 2, 3, 4097]
  tokens = kmers.tokenize(bases.encode_batch(["A" * 6 + "C" * 6 + "G"], 660),
                          vocabulary=vocab, stride=6)
  assert tokens.ids.shape == (1, 110) and int(tokens.pad_mask.sum()) == 2
  assert vocabulary.Vocabulary(6, add_cls=True).names()[2:4] == ["[CLS]", "AAAAAA"]


def test_letters_that_no_cleaning_leaves_are_unknown():
  np.testing.assert_array_equal(bases.encode("ACGTNRY-u"), [0, 1, 2, 3] + [4] * 5)
  np.testing.assert_array_equal(bases.encode_batch(["ACG", b"", "ACGTA"], 4),
                                [[0, 1, 2, 5], [5] * 4, [0, 1, 2, 3]])


@pytest.mark.parametrize("bad", [dict(k=0), dict(k=9), dict(n_policy="drop")])
def test_a_wrong_vocabulary_is_refused(bad):
  with pytest.raises(ValueError, match="tokens"):
    vocabulary.Vocabulary(**bad)
