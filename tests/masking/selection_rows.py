"""Rows of tokens that the tests of the selections share, and what they need."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np

# (k, L) that every selection is compared at: 1, 2, k and longer.
SHAPES = [(3, 1), (3, 2), (3, 3), (3, 41), (4, 4), (4, 41), (5, 5), (5, 41), (6, 1),
          (6, 2), (6, 6), (6, 41), (6, 130), (6, 512)]


class AtcgVocabulary:
  """Five special ids, then the k-mers in the order A, T, C, G, as in DNABERT."""
  num_special = 5

  def __init__(self, k):
    self.k, self.size = k, 5 + 4**k

  def names(self):
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    return specials + ["".join(x) for x in itertools.product("ATCG", repeat=self.k)]


def rows(k, length, seed=0):
  """Overlapping k-mers of rows with repeats, N and several lengths.

  Row 0 is full, row 1 has nothing maskable, row 2 one maskable token, row 3 is
  one letter only (so that all ranks tie), the others are shorter than L.

  Returns:
    tokens [8, L] int32 of an AtcgVocabulary, is_maskable [8, L] bool.
  """
  rng = np.random.default_rng((seed, k, length))
  letters = rng.choice(4, (8, length + k - 1), p=[.6, .2, .1, .1])
  is_n = rng.random(letters.shape) < .02
  letters[3], is_n[0] = 2, False
  tokens = np.empty((8, length), np.int32)
  for b, i in itertools.product(range(8), range(length)):
    number = 0
    for letter in letters[b, i:i + k]:
      number = 4 * number + letter
    tokens[b, i] = 1 if is_n[b, i:i + k].any() else 5 + number
  if length >= k:  # [CLS], k-mers, [SEP], [PAD]
    tokens[:, 0] = 2
    for b in range(8):
      end = length - 1 if b < 4 else rng.integers(1, length)
      tokens[b, end], tokens[b, end + 1:] = 3, 0
  is_maskable = tokens >= 5
  is_maskable[1] = False
  chosen = rng.permutation(np.flatnonzero(is_maskable[2]))[:1]
  is_maskable[2] = False
  is_maskable[2, chosen] = True
  return tokens, is_maskable


def some_ranks(k, seed=0):
  """Ranks of an AtcgVocabulary's ids: 0 for special ids, else 1..4^k, int32."""
  rng = np.random.default_rng((seed, k))
  return np.concatenate([np.zeros(5), 1 + rng.permutation(4**k)]).astype(np.int32)


def caller(selection, ranks=None, *, jit=True):
  """(key, tokens, is_maskable, rate, step) -> is_selected, as NumPy; compiled once."""
  ranks = None if ranks is None else jnp.asarray(ranks)
  fn = functools.partial(selection, ranks=ranks)
  fn = jax.jit(fn) if jit else fn

  def call(key, tokens, is_maskable, rate, step=0):
    return np.asarray(fn(key, jnp.asarray(tokens), jnp.asarray(is_maskable),
                         rate=jnp.float32(rate), step=jnp.int32(step)))

  return call
