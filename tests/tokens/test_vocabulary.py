import functools
import itertools

import jax
import numpy as np
import oracles
import pytest

from dnajax.tokens import bases, kmers, tokenizer, vocabulary

PUBLISHED = {
    "dnabert": (["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], "ATCG"),
    "logo": (["<unk>", "<cls>", "<mask>"], "AGCT"),
}


def published_names(layout, k):
  specials, letters = PUBLISHED[layout]
  return specials + ["".join(word) for word in itertools.product(letters, repeat=k)]


def slow_tokens(sequence, *, layout, k, stride, length, add_cls, add_sep):
  """ids, is_maskable, pad_mask of one sequence (str of ACGTN), lists."""
  id_of = {name: i for i, name in enumerate(published_names(layout, k))}
  special = {name.strip("[]<>").lower(): i for i, name in enumerate(PUBLISHED[layout][0])}
  rows = [(special["cls"], False, True)] if add_cls else []
  num_kmers = 0
  for start in range(0, length - k + 1, stride):
    num_kmers += 1
    kmer = sequence[start:start + k]
    if len(kmer) == k:
      rows.append((id_of.get(kmer, special["unk"]), kmer in id_of, True))
  if add_sep:
    rows.append((special["sep"], False, True))
  padding = (special.get("pad", special["unk"]), False, False)
  rows += [padding] * (num_kmers + add_cls + add_sep - len(rows))
  return tuple(zip(*rows, strict=True)) if rows else ((), (), ())


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("layout,add_cls,add_sep", [
    ("dnabert", False, False), ("dnabert", True, False), ("dnabert", False, True),
    ("dnabert", True, True), ("logo", False, False), ("logo", True, False)])
@pytest.mark.parametrize("k,stride,num_bases",
                         [(3, 1, 20), (4, 1, 4), (6, 1, 31), (5, 2, 17), (3, 3, 14), (4, 4, 3)])
def test_tokens_are_the_definition(jit, layout, add_cls, add_sep, k, stride, num_bases):
  rng = np.random.default_rng(k * 100 + num_bases)
  codes = oracles.random_codes(rng, 8, num_bases, unknown_share=0.1)
  for row, length in enumerate((0, 1, 2, k - 1, k, k + 1), start=1):
    codes[row] = np.where(np.arange(num_bases) < length, rng.integers(0, 4, num_bases), 5)
  codes[7] = 4                                     # nothing known
  vocab = vocabulary.Vocabulary(k, add_cls=add_cls, layout=layout, add_sep=add_sep)
  fn = functools.partial(kmers.tokenize, vocabulary=vocab, stride=stride)
  got = (jax.jit(fn) if jit else fn)(codes)
  assert got.ids.dtype == np.int32
  assert got.ids.shape[1] == kmers.num_tokens(
      num_bases, k=k, stride=stride, add_cls=add_cls, add_sep=add_sep)
  for row in range(len(codes)):
    expected = slow_tokens(oracles.text(codes[row]).rstrip("."), layout=layout, k=k,
                           stride=stride, length=num_bases, add_cls=add_cls, add_sep=add_sep)
    for array, want in zip((got.ids, got.is_maskable, got.pad_mask), expected, strict=True):
      np.testing.assert_array_equal(array[row], want)


@pytest.mark.parametrize("k", [3, 4, 5, 6])
@pytest.mark.parametrize("layout", ["dnabert", "logo"])
def test_names_are_special_tokens_then_kmers_in_the_published_letter_order(layout, k):
  vocab = vocabulary.Vocabulary(k, layout=layout)
  names = published_names(layout, k)
  assert vocab.names() == names and vocab.size == len(names)
  assert vocab.num_classes == 4**k and vocab.size - vocab.num_special == 4**k


def test_published_ids_of_dnabert():
  vocab = vocabulary.Vocabulary(6, layout="dnabert", add_cls=True, add_sep=True)
  names = vocab.names()
  assert vocab.size == 4101 and vocab.num_special == 5
  assert [names.index(n) for n in ("AAAAAA", "AAAAAT", "AAAAAC", "AAAAAG", "GGGGGG")] == [
      5, 6, 7, 8, 4100]
  assert (vocab.pad_id, vocab.unk_id, vocab.cls_id, vocab.sep_id, vocab.mask_id) == (
      0, 1, 2, 3, 4)
  rows = bases.encode_batch(["AAAAAATCG", "GGGGGG", "AAANAAA", "ACG"], 10)
  tokens = kmers.tokenize(rows, vocabulary=vocab, stride=1)
  a = names.index
  np.testing.assert_array_equal(tokens.ids, [
      [2, 5, a("AAAAAT"), a("AAAATC"), a("AAATCG"), 3, 0], [2, 4100, 3, 0, 0, 0, 0],
      [2, 1, 1, 3, 0, 0, 0], [2, 3, 0, 0, 0, 0, 0]])
  np.testing.assert_array_equal(tokens.is_maskable.sum(axis=1), [4, 1, 0, 0])
  np.testing.assert_array_equal(tokens.pad_mask.sum(axis=1), [6, 3, 4, 2])


def test_ids_of_layouts_without_a_pad_or_sep_token():
  logo = vocabulary.Vocabulary(6, layout="logo")
  assert (logo.unk_id, logo.cls_id, logo.mask_id) == (0, 1, 2) and logo.size == 4099
  assert logo.pad_id == logo.unk_id and logo.sep_id is None
  plain, with_cls = vocabulary.Vocabulary(6), vocabulary.Vocabulary(6, add_cls=True)
  assert plain.pad_id == plain.unk_id == 1 and plain.mask_id == 0
  assert plain.cls_id is None and with_cls.cls_id == 2
  assert (plain.num_special, with_cls.num_special) == (2, 3)


@pytest.mark.parametrize("k", [3, 6])
def test_512_tokens_are_510_kmers_with_cls_and_sep(k):
  assert kmers.num_tokens(509 + k, k=k, stride=1, add_cls=True, add_sep=True) == 512
  assert kmers.num_tokens(k - 1, k=k, stride=1, add_cls=True, add_sep=True) == 2


def test_an_offset_and_sep_agree_with_the_shifted_sequence():
  rng = np.random.default_rng(3)
  codes = oracles.random_codes(rng, 9, 23)
  vocab = vocabulary.Vocabulary(3, layout="dnabert", add_cls=True, add_sep=True)
  offset = np.arange(9, dtype=np.int32) % 3
  got = kmers.tokenize(codes, vocabulary=vocab, stride=3, offset=offset, length=21)
  for row in range(9):
    shifted = np.concatenate([codes[row, offset[row]:], [5, 5]])[None, :21]
    want = kmers.tokenize(shifted.astype(np.uint8), vocabulary=vocab, stride=3)
    np.testing.assert_array_equal(got.ids[row], want.ids[0])
    np.testing.assert_array_equal(got.pad_mask[row], want.pad_mask[0])


@pytest.mark.parametrize("bad,message", [
    (dict(layout="bert"), "tokens.vocabulary 'bert'.*barcodebert, dnabert, logo"),
    (dict(layout="dnabert", n_policy="in_vocabulary"), "tokens.n_policy='in_vocabulary'"),
    (dict(layout="logo", n_policy="in_vocabulary"), "tokens.n_policy='in_vocabulary'"),
    (dict(add_sep=True), "tokens.add_sep=True.*'barcodebert'"),
    (dict(layout="logo", add_sep=True), "tokens.add_sep=True.*'logo'"),
])
def test_a_vocabulary_that_cannot_be_is_refused(bad, message):
  with pytest.raises(ValueError, match=message):
    vocabulary.Vocabulary(**bad)


def test_sizes_follow_from_the_vocabulary_and_the_length():
  made = tokenizer.make(tokenizer.TokenSettings(
      vocabulary="dnabert", k=3, stride=1, add_cls=True, add_sep=True), 72)
  assert made.num_tokens == 70 + 2 and made.vocabulary.size == 69
  assert made.vocabulary.sep_id == 3 and made.read_length == 72
