import jax.numpy as jnp
import numpy as np
import pytest

from dnajax.masking import neighbours, phases


@pytest.mark.parametrize("offsets", [(), (0,), (3,), (-7, 2), (0, 1, -1, 9)])
@pytest.mark.parametrize("length", [0, 1, 2, 8])
def test_dilate_sets_every_offset_and_loses_what_falls_off(offsets, length):
  is_set = np.random.default_rng(length).random((20, length)) < 0.2
  want = np.zeros_like(is_set)
  for b, i in zip(*np.nonzero(is_set), strict=True):
    for offset in offsets:
      if 0 <= i + offset < length:
        want[b, i + offset] = True
  np.testing.assert_array_equal(neighbours.dilate(jnp.asarray(is_set), offsets), want)


def test_a_phase_starts_with_the_update_at_its_boundary():
  got = [int(phases.phase_at(np.int32(step), (3, 6, 10))) for step in range(12)]
  assert got == [0] * 3 + [1] * 3 + [2] * 4 + [3] * 2
  assert phases.phase_at(7, ()) == 0 and phases.phase_at(7, ()).dtype == np.int32
