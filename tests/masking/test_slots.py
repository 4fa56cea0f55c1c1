import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dnajax.masking import slots


@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, 100, 512])
def test_running_count_is_the_cumulative_sum(length):
  is_set = np.random.default_rng(length).random((5, length)) < [[0], [.1], [.5], [.9], [1]]
  got = slots.running_count(jnp.asarray(is_set))
  np.testing.assert_array_equal(got, np.cumsum(is_set, axis=1))
  assert got.dtype == np.int32


@pytest.mark.parametrize("size", [0, 1, 7, 40, 50])
def test_packed_positions_come_in_order_and_only_surplus_is_lost(size):
  is_candidate = np.random.default_rng(size).random((6, 40)) < [[0], [.1], [.2], [.5], [.9],
                                                                [1]]
  ids, is_used, is_kept, order = map(np.asarray, slots.pack(
      jax.random.key(0), jnp.asarray(is_candidate), size))
  for b, row in enumerate(is_candidate):
    kept = np.flatnonzero(is_kept[b])
    assert set(kept) <= set(np.flatnonzero(row)) and len(kept) == min(size, row.sum())
    assert ids[b][is_used[b]].tolist() == kept.tolist() and not ids[b][~is_used[b]].any()
    assert order[b].tolist() == np.cumsum(is_kept[b]).tolist()
