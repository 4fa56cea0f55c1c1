"""A profile against adding vectors up by hand."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from dnajax.models import heads
from dnajax.models.encoders import profile
from dnajax.tokens import tokenizer

TOKENIZER = tokenizer.make(tokenizer.TokenSettings(k=3, stride=3, frames="all"), 12)
PART = profile.Profile(width=6, max_positions=4)


def built(part=PART):
  module = part.module(TOKENIZER.vocabulary.size, frames=TOKENIZER.frames)
  tokens = TOKENIZER(jnp.zeros((1, 12), jnp.uint8))
  params = nn.unbox(module.init(jax.random.key(0), tokens.ids, tokens.pad_mask))["params"]
  return module, params


def test_mean_adds_up_letters_at_places_less_what_letters_share():
  bases = np.random.default_rng(0).integers(0, 4, (5, 12)).astype(np.uint8)
  bases[1, 4] = 4                                   # its token is unknown
  module, params = built()
  table = np.asarray(params["word"]).reshape(12, 4, 6)
  expected = []
  for row in bases:
    total = np.zeros(6)
    for place, letter in enumerate(row):
      if 4 not in row[place // 3 * 3:place // 3 * 3 + 3]:
        total += table[place, letter] - table[place].mean(axis=0)
    expected.append(10 * total / 4)
  tokens = TOKENIZER(jnp.asarray(bases))
  got = module.apply({"params": params}, tokens.ids, tokens.pad_mask, method="mean")
  np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-7)
  of_tokens = module.apply({"params": params}, tokens.ids, tokens.pad_mask)
  np.testing.assert_allclose(got, heads.masked_mean(of_tokens, tokens.pad_mask),
                             rtol=1e-5, atol=1e-7)


def test_places_are_those_of_the_sequence_when_tokens_are_taken_out():
  tokens = TOKENIZER(jnp.asarray([[0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3]], jnp.uint8))
  module, params = built()
  whole = module.apply({"params": params}, tokens.ids, tokens.pad_mask)
  some = module.apply({"params": params}, tokens.ids[:, 2:], tokens.pad_mask[:, 2:],
                      positions=jnp.asarray([[2, 3]]))
  np.testing.assert_allclose(whole[:, 2:], some, rtol=1e-6)


def test_what_is_expected_at_a_place_is_taken_away():
  bases = np.random.default_rng(4).integers(0, 4, (2, 12)).astype(np.uint8)
  digits = "f000" * 6 + "3900"          # 0 to 1; behind the seventh place a quarter
  module, params = built(dataclasses.replace(PART, background=digits))
  share = np.full((12, 4), 0.25)
  share[:7] = [[1, 0, 0, 0]] * 6 + [[0.2, 0.6, 0, 0]]
  counts = (bases[..., None] == np.arange(4)) - share
  tokens = TOKENIZER(jnp.asarray(bases))
  got = module.apply({"params": params}, tokens.ids, tokens.pad_mask, method="mean")
  expected = 10 * counts.reshape(2, -1) @ np.asarray(params["word"]) / 4
  np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_training_leaves_out_the_letters_of_a_place_apart():
  bases = np.tile(np.random.default_rng(1).integers(0, 4, 12), (400, 1)).astype(np.uint8)
  tokens = TOKENIZER(jnp.asarray(bases))
  module, params = built()
  apply = lambda params=params, **options: module.apply(
      {"params": params}, tokens.ids, tokens.pad_mask, method="mean", **options)
  noisy = dict(deterministic=False, rngs={"dropout": jax.random.key(2)})
  some = apply(**noisy)
  assert float(jnp.std(some, axis=0).min()) > 0
  np.testing.assert_allclose(some.mean(axis=0), apply()[0], atol=2e-2)
  # Letters that are not there speak too, each of them by itself.
  table = params["word"].reshape(12, 4, 6)
  absent = jnp.where(jnp.arange(4)[None, :, None] == bases[0][:, None, None], 0, table)
  some = apply({"word": absent.reshape(-1, 6)}, **noisy)
  assert float(jnp.std(some, axis=0).min()) > 0
