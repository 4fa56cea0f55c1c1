import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dnajax.masking import k_lowest


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("largest", [1, 7, 8, 4101, 65535, 70000])
@pytest.mark.parametrize("ignore_bits", [0, 3])
@pytest.mark.parametrize("length", [0, 1, 2, 33])
def test_lowest_is_a_stable_sort_of_the_candidates(jit, largest, ignore_bits, length):
  rng = np.random.default_rng((largest, length))
  values = rng.integers(max(0, largest - 20), largest + 1, (40, length))
  values[20:] = rng.integers(0, largest + 1, (20, length))
  is_candidate = rng.random(values.shape) < 0.7
  is_candidate[::7] = False
  is_candidate[1::7] = True
  num_wanted = rng.integers(0, length + 3, (40, 1)).astype(np.int32)
  fn = lambda *args: k_lowest.select(*args, largest=largest, ignore_bits=ignore_bits)
  got = (jax.jit(fn) if jit else fn)(
      *map(jnp.asarray, (values.astype(np.int32), is_candidate, num_wanted)))
  want = np.zeros_like(is_candidate)
  for b in range(40):
    order = sorted(np.flatnonzero(is_candidate[b]),
                   key=lambda i, b=b: values[b, i] // 2**ignore_bits)
    want[b, order[:num_wanted[b, 0]]] = True
  np.testing.assert_array_equal(got, want)
