import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dnajax.models import encoder


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_masked_mean_is_the_mean_over_real_tokens(dtype):
  rng = np.random.default_rng(0)
  hidden = jnp.asarray(rng.normal(size=(3, 5, 4)), dtype)
  pad_mask = np.array([[1, 1, 1, 1, 1], [1, 0, 1, 0, 0], [0, 0, 0, 0, 0]], bool)
  got = jax.jit(encoder.masked_mean)(hidden, pad_mask)
  assert got.dtype == jnp.float32 and got.shape == (3, 4)
  exact = np.asarray(hidden, np.float32)
  np.testing.assert_allclose(got[0], exact[0].mean(0), rtol=1e-6)
  np.testing.assert_allclose(got[1], exact[1, [0, 2]].mean(0), rtol=1e-6)
  np.testing.assert_array_equal(got[2], np.zeros(4))


def test_masked_mean_never_reads_padding():
  hidden = np.ones((1, 3, 2), np.float32)
  hidden[0, 2] = np.nan
  got = encoder.masked_mean(hidden, np.array([[True, True, False]]))
  np.testing.assert_array_equal(got, np.ones((1, 2)))
