"""k-mers of every frame, from the tokens of one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dnajax.tokens import tokenizer

LETTERS = "ACGT"


def make(k, stride, length, **changes):
  settings = tokenizer.TokenSettings(k=k, stride=stride, frames="all", **changes)
  return tokenizer.make(settings, length)


def words_in_letters(row, made):
  """[K, S] the k-mers that start inside each token and end in the next, read off."""
  k, stride = made.vocabulary.k, made.stride
  num = (len(row) - k) // stride + 1
  out = [[None] * stride for _ in range(num)]
  for p in range(num):
    for offset in range(stride):
      text = row[p * stride + offset:p * stride + offset + k]
      end = (p + 1) * stride + k if p + 1 < num else p * stride + k
      if p * stride + offset + k <= end and 4 not in text:
        out[p][offset] = "".join(LETTERS[c] for c in text)
  return out


@pytest.mark.parametrize(("k", "stride", "vocabulary"), [
    (3, 3, "barcodebert"), (4, 2, "barcodebert"), (8, 8, "barcodebert"), (3, 3, "dnabert"),
    (2, 1, "logo")])
def test_words_are_the_kmers_of_every_frame(k, stride, vocabulary):
  bases = np.random.default_rng(0).integers(0, 4, (4, 5 * stride + k)).astype(np.uint8)
  made = make(k, stride, bases.shape[1], vocabulary=vocabulary)
  tokens = made(jnp.asarray(bases))
  words, is_word = made.frames(tokens.ids, tokens.pad_mask)
  names = made.vocabulary.names()
  for row, ids, there in zip(bases, np.asarray(words), np.asarray(is_word), strict=True):
    expected = words_in_letters(row.tolist(), made)
    got = [[names[i] if is_there else None for i, is_there in zip(*pair, strict=True)]
           for pair in zip(ids, there, strict=True)]
    assert got == expected


def test_across_two_tokens_only_where_both_are_seen_neighbours():
  made = make(3, 3, 12)
  tokens = made(jnp.asarray([[0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3]], jnp.uint8))
  seen = jnp.asarray([[True, True, False, True]])
  _, is_word = made.frames(tokens.ids, seen)
  np.testing.assert_array_equal(is_word[0, :, 1], [True, False, False, False])
  kept = tokens.ids[:, jnp.asarray([0, 1, 3])]
  _, is_word = made.frames(kept, jnp.ones((1, 3), bool), jnp.asarray([[0, 1, 3]]))
  np.testing.assert_array_equal(is_word[0, :, 1], [True, False, False])
  unknown = tokens.ids.at[0, 1].set(made.vocabulary.unk_id)
  _, is_word = made.frames(unknown, tokens.pad_mask)
  np.testing.assert_array_equal(is_word[0, :, 1], [False, False, True, False])


def test_causal_words_look_back():
  made = make(3, 3, 12)
  tokens = made(jnp.asarray([[0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3]], jnp.uint8))
  import dataclasses
  causal = dataclasses.replace(made.frames, is_causal=True)
  ahead, _ = made.frames(tokens.ids, tokens.pad_mask)
  back, is_word = causal(tokens.ids, tokens.pad_mask)
  np.testing.assert_array_equal(back[:, 1:, 1:], ahead[:, :-1, 1:])
  assert not is_word[0, 0, 1:].any()


def test_no_word_of_a_k_of_eight_overflows():
  made = make(8, 8, 24)
  tokens = made(jnp.full((1, 24), 3, jnp.uint8))
  words, is_word = made.frames(tokens.ids, tokens.pad_mask)
  assert set(np.asarray(words)[np.asarray(is_word)].tolist()) == {
      4**8 - 1 + made.vocabulary.num_special}
  assert words.dtype == jax.numpy.int32
