"""A bag of k-mers against counting by hand; frames in every encoder leak nothing."""

import collections
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from dnajax.models import heads
from dnajax.models.encoders import conv, kmer_bag, transformer
from dnajax.tokens import tokenizer

SETTINGS = tokenizer.TokenSettings(k=3, stride=3, frames="all")
TOKENIZER = tokenizer.make(SETTINGS, 30)
VOCAB = TOKENIZER.vocabulary.size
ENCODERS = {
    "kmer_bag": kmer_bag.KmerBag(width=8),
    "transformer": transformer.Transformer(width=8, depth=1, num_heads=2, mlp_width=8,
                                           max_positions=16, dropout=0.0),
    "conv": conv.Conv(width=8, depth=1, mlp_width=8, dropout=0.0)}


def rows(n=3, seed=0, letters=4):
  bases = np.random.default_rng(seed).integers(0, letters, (n, 30)).astype(np.uint8)
  return bases, TOKENIZER(jnp.asarray(bases))


def built(part, ids, pad_mask):
  module = part.module(VOCAB, frames=TOKENIZER.frames)
  return module, nn.unbox(module.init(jax.random.key(0), ids, pad_mask))["params"]


@pytest.mark.parametrize("counts", ["square_root", "linear"])
def test_mean_is_the_counts_of_all_kmers_times_the_table(counts):
  bases, tokens = rows(letters=2)
  module, params = built(kmer_bag.KmerBag(width=8, counts=counts), tokens.ids, tokens.pad_mask)
  names = TOKENIZER.vocabulary.names()
  expected = []
  for row in bases:
    text = "".join("ACGT"[c] for c in row)
    seen = collections.Counter(text[i:i + 3] for i in range(len(text) - 2))
    weight = math.sqrt if counts == "square_root" else float
    expected.append(sum(weight(n) * np.asarray(params["word"][names.index(word)])
                        for word, n in seen.items()))  # 10 tokens, gain 10
  got = module.apply({"params": params}, tokens.ids, tokens.pad_mask, method="mean")
  np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-7)


def test_mean_is_that_of_the_tokens():
  _, tokens = rows(letters=2)
  is_seen = jnp.arange(10)[None] < jnp.asarray([[10], [7], [0]])
  module, params = built(kmer_bag.KmerBag(width=8), tokens.ids, is_seen)
  of_tokens = module.apply({"params": params}, tokens.ids, is_seen)
  np.testing.assert_allclose(
      module.apply({"params": params}, tokens.ids, is_seen, method="mean"),
      heads.masked_mean(of_tokens, is_seen), rtol=1e-5, atol=1e-7)


def test_training_leaves_out_kmers_wherever_they_are():
  _, tokens = rows(64, letters=2)
  module, params = built(kmer_bag.KmerBag(width=8), tokens.ids, tokens.pad_mask)
  params = {"word": jnp.ones_like(params["word"])}
  got = module.apply({"params": params}, tokens.ids, tokens.pad_mask, method="mean",
                     deterministic=False, rngs={"dropout": jax.random.key(1)})
  whole = module.apply({"params": params}, tokens.ids, tokens.pad_mask, method="mean")
  assert (np.asarray(got) != np.asarray(whole)).any(axis=1).mean() > 0.9
  np.testing.assert_allclose(got.mean(), whole.mean(), rtol=0.1)


@pytest.mark.parametrize("name", ENCODERS)
def test_nothing_of_a_hidden_token_shows_in_the_others(name):
  _, tokens = rows()
  _, others = rows(seed=1)
  is_hidden = jnp.zeros((3, 10), bool).at[:, jnp.asarray([0, 4, 5, 9])].set(True)
  module, params = built(ENCODERS[name], tokens.ids, tokens.pad_mask)
  apply = jax.jit(lambda ids: module.apply(
      {"params": params}, ids, tokens.pad_mask & ~is_hidden, is_hidden=is_hidden))
  changed = jnp.where(is_hidden, others.ids, tokens.ids)
  got, then = (np.where(is_hidden[..., None], 0, apply(ids)) for ids in (tokens.ids, changed))
  assert not np.array_equal(tokens.ids, changed)
  np.testing.assert_array_equal(got, then)


@pytest.mark.parametrize("name", ["kmer_bag", "transformer"])
def test_tokens_taken_out_are_tokens_hidden(name):
  _, tokens = rows()
  kept = jnp.asarray([1, 2, 3, 6, 7, 8])
  is_seen = jnp.zeros((3, 10), bool).at[:, kept].set(True)
  module, params = built(ENCODERS[name], tokens.ids, tokens.pad_mask)
  hidden = module.apply({"params": params}, tokens.ids, is_seen, is_hidden=~is_seen)
  taken_out = module.apply(
      {"params": params}, tokens.ids[:, kept], jnp.ones((3, 6), bool),
      positions=jnp.broadcast_to(kept, (3, 6)), is_hidden=jnp.zeros((3, 6), bool))
  np.testing.assert_allclose(hidden[:, kept], taken_out, rtol=2e-4, atol=1e-5)


def test_every_frame_makes_a_shifted_row_similar():
  bases, tokens = rows(1)
  shifted = TOKENIZER(jnp.asarray(np.roll(bases, -1, axis=1)))
  module, params = built(kmer_bag.KmerBag(width=64), tokens.ids, tokens.pad_mask)
  one = lambda frames, t: kmer_bag.KmerBag(width=64).module(VOCAB, frames=frames).apply(
      {"params": params}, t.ids, t.pad_mask, method="mean")[0]
  cosine = lambda a, b: float(a @ b / jnp.linalg.norm(a) / jnp.linalg.norm(b))
  every = cosine(one(TOKENIZER.frames, tokens), one(TOKENIZER.frames, shifted))
  assert every > 0.8 > cosine(one(None, tokens), one(None, shifted))
