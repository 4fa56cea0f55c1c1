import functools

import jax
import numpy as np
import pytest

from dnajax.masking import uniform


def slow_uniform(draws, is_maskable, ratio, count):
  out = np.zeros_like(is_maskable)
  for b, row in enumerate(is_maskable):
    places = [i for i in range(len(row)) if row[i]]
    if count == "bernoulli":
      chosen = [i for i in places if draws[b, i] < ratio]
    else:
      num_wanted = int(np.floor(np.float32(ratio) * np.float32(len(places)) + 0.5))
      chosen = sorted(places, key=lambda i: (draws[b, i], i))[:num_wanted]
    out[b, chosen] = True
  return out


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("count", uniform.COUNTS)
@pytest.mark.parametrize("ratio", [0.0, 0.15, 0.5, 1.0])
@pytest.mark.parametrize("length", [1, 2, 6, 65])
def test_uniform_is_the_definition(jit, count, ratio, length):
  rng = np.random.default_rng(length)
  is_maskable = rng.random((5, length)) < 0.7
  is_maskable[0], is_maskable[1] = False, True
  key = jax.random.key(length)
  tokens = np.zeros((5, length), np.int32)
  fn = functools.partial(uniform.uniform, ratio=ratio, count=count)
  got = (jax.jit(fn) if jit else fn)(key, tokens, is_maskable)
  draws = np.asarray(jax.random.uniform(key, tokens.shape))
  np.testing.assert_array_equal(
      got, slow_uniform(draws, is_maskable, ratio, count))


def test_bernoulli_selects_the_wanted_share():
  is_maskable = np.ones((200, 110), bool)
  got = uniform.uniform(jax.random.key(0), np.zeros((200, 110), np.int32),
                        is_maskable, ratio=0.5)
  assert abs(float(got.mean()) - 0.5) < 4 * 0.5 / np.sqrt(22000)
