import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import sharding

from dnajax.models import dropout


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_the_share_of_dropped_elements_is_the_rate(rate):
  kept = np.asarray(dropout.keep_mask(jax.random.key(0), (400, 500), rate=rate))
  deviation = np.sqrt(rate * (1 - rate) / kept.size)
  assert abs(1 - kept.mean() - rate) < 4 * deviation
  by_row, by_column = 1 - kept.mean(axis=1), 1 - kept.mean(axis=0)
  # Rows and columns scatter as independent coins do.
  for shares, n in ((by_row, 500), (by_column, 400)):
    assert 0.7 < shares.var() / (rate * (1 - rate) / n) < 1.3


@pytest.mark.parametrize("shift", [(0, 1), (1, 0), (1, 1), (0, 64), (128, 0)])
def test_neighbouring_coins_do_not_know_of_each_other(shift):
  kept = np.asarray(dropout.keep_mask(jax.random.key(1), (512, 512), rate=0.5)) - 0.5
  product = kept * np.roll(kept, shift, axis=(0, 1)) * 4
  assert abs(product.mean()) < 4 / np.sqrt(product.size)


def test_keys_give_unrelated_coins():
  key = jax.random.key(2)
  coins = [np.asarray(dropout.keep_mask(jax.random.fold_in(key, i), (200_000,), rate=0.5)) * 2.0 - 1
           for i in range(6)]
  for i in range(6):
    for j in range(i):
      for lag in (0, 1, 2, 7):
        assert abs((coins[i] * np.roll(coins[j], lag)).mean()) < 5 / np.sqrt(200_000)


def test_coins_do_not_depend_on_jit_or_on_how_the_array_is_cut_up():
  devices = np.array(jax.devices()).reshape(4, 2) if jax.device_count() == 8 else None
  if devices is None:
    pytest.skip("needs eight simulated devices")
  mesh = sharding.Mesh(devices, ("a", "b"))
  key = jax.random.key(3)
  expected = dropout.keep_mask(key, (8, 6, 4), rate=0.1)
  for spec in (sharding.PartitionSpec("a"), sharding.PartitionSpec("b", None, "a")):
    where = sharding.NamedSharding(mesh, spec)
    got = jax.jit(lambda key: dropout.keep_mask(key, (8, 6, 4), rate=0.1), out_shardings=where)(key)
    np.testing.assert_array_equal(got, expected)


def test_dropped_elements_are_zero_and_the_rest_is_scaled_up():
  x = jnp.arange(1, 2001, dtype=jnp.float32)
  key = jax.random.key(4)
  kept = np.asarray(dropout.keep_mask(key, x.shape, rate=0.25))
  got, gradient = jax.value_and_grad(
      lambda x: dropout.drop(key, x, rate=0.25).sum())(x)
  np.testing.assert_allclose(got, np.where(kept, x / 0.75, 0).sum(), rtol=1e-6)
  np.testing.assert_allclose(gradient, kept / 0.75, rtol=1e-6)


@pytest.mark.parametrize("deterministic, rate", [(True, 0.5), (False, 0.0)])
def test_no_dropout_needs_no_key(deterministic, rate):
  x = jnp.ones((3, 4), jnp.bfloat16)
  got = dropout.Dropout(rate).apply({}, x, deterministic=deterministic)
  np.testing.assert_array_equal(got, x)
