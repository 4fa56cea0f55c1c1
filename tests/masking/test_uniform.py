import jax
import numpy as np
import pytest
import selection_rows

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
@pytest.mark.parametrize("count", ["bernoulli", "exact"])
@pytest.mark.parametrize("length", [1, 2, 6, 65])
def test_uniform_is_the_definition(jit, count, length):
  rng = np.random.default_rng(length)
  is_maskable = rng.random((5, length)) < 0.7
  is_maskable[0], is_maskable[1] = False, True
  key = jax.random.key(length)
  tokens = np.zeros((5, length), np.int32)
  call = selection_rows.caller(uniform.Uniform(count=count), jit=jit)
  draws = np.asarray(jax.random.uniform(key, tokens.shape))
  for ratio in np.float32([0.0, 0.15, 0.5, 1.0]):
    np.testing.assert_array_equal(
        call(key, tokens, is_maskable, ratio),
        slow_uniform(draws, is_maskable, ratio, count))


def test_the_expected_number_is_that_of_draws_and_the_ratio_is_its_rate():
  selection = uniform.Uniform(ratio=0.3)
  assert selection.rates() == (0.3,) and float(selection.rate_at(7)) == np.float32(0.3)
  counts = selection_rows.caller(selection)(
      jax.random.key(0), np.zeros((4000, 110), np.int32), np.ones((4000, 110), bool), 0.3
  ).sum(axis=1)
  mean, spread = selection.expected(110, 0.3)
  assert abs(counts.mean() - mean) < 4 * spread / np.sqrt(4000)
  assert abs(counts.std() / spread - 1) < 0.05
  assert uniform.Uniform(count="exact").expected(110, 0.3) == (33.0, 0.0)
