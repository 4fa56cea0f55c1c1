"""Windows: every base once, one frame, all of the sequence."""

import numpy as np
import pytest

from dnajax.inference import windows
from dnajax.tokens import tokenizer as tokenizer_lib


def slow_weights(places):
  """Base by base: the window whose middle is nearest, the earlier one of two."""
  places = list(places)
  owner = [min(range(len(places)), key=lambda i: (abs(sum(places[i][:2]) - 2 * base - 1), i))
           for base in range(max(end for _, end, _ in places))]
  return np.bincount(owner, minlength=len(places))


@pytest.mark.parametrize("length, k, stride", [(60, 6, 6), (50, 6, 6), (30, 4, 1), (12, 6, 6)])
@pytest.mark.parametrize("num_bases", [1, 29, 60, 61, 66, 89, 90, 91, 200, 1001])
def test_windows_cover_a_sequence_and_weigh_the_bases_nearest_to_them(
    length, k, stride, num_bases):
  tokenizer = tokenizer_lib.make(tokenizer_lib.TokenSettings(k=k, stride=stride), length)
  places = list(windows.make(tokenizer).places(num_bases))
  starts, ends, weights = zip(*places, strict=True)
  assert starts[0] == 0 and ends[-1] == num_bases and sum(weights) == num_bases
  assert all(start % stride == 0 for start in starts)
  assert all(0 < end - start <= length for start, end, _ in places)
  assert list(starts) == sorted(set(starts)) and min(weights) > 0
  assert all(after <= end for after, end in zip(starts[1:], ends, strict=False))
  # The last window may be shorter than the others, and its middle lies earlier.
  whole = [(start, start + length, 0) for start in starts]
  want = slow_weights(whole)
  want[-1] -= whole[-1][1] - num_bases
  np.testing.assert_allclose(weights, want, atol=1)
