"""Lengths that rows are cut to: few, long enough, and every row in one batch."""

import numpy as np
import pytest

from dnajax.inference import buckets
from dnajax.tokens import tokenizer as tokenizer_lib


def make(length, **tokens):
  return tokenizer_lib.make(tokenizer_lib.TokenSettings(**tokens), length)


@pytest.mark.parametrize("length, k, stride", [(660, 6, 6), (660, 4, 4), (512, 6, 1), (20, 3, 3),
                                               (5, 6, 6), (2000, 3, 3)])
def test_lengths_are_few_increase_and_end_at_the_models_own(length, k, stride):
  found = buckets.lengths(make(length, k=k, stride=stride))
  assert found[-1] == length and list(found) == sorted(set(found))
  for shorter, longer in zip(found, found[1:], strict=False):
    assert longer / shorter < 1.6     # 8 k-mers to 12
    if shorter > 16 * stride + k:
      assert longer / shorter < 1.3
  assert len(found) <= 4 * np.log2(max(length / stride, 2))


def test_a_model_that_looks_for_the_place_of_a_row_has_one_length():
  assert buckets.lengths(make(660, align_to="ACGT" * 20)) == (660,)


@pytest.mark.parametrize("num", [1, 3, 40, 500])
@pytest.mark.parametrize("num_longest", [1, 4, 32])
def test_every_row_is_in_one_batch_that_is_long_enough(num, num_longest):
  batches = buckets.make(make(660), num_longest, multiple_of=2)
  num_bases = np.random.default_rng(num).integers(0, 661, num)
  arranged = batches.arrange(num_bases)
  assert sorted(row for _, rows in arranged for row in rows) == list(range(num))
  num_partial = 0
  for length, rows in arranged:
    room = batches.num_rows[batches.lengths.index(length)]
    assert room % 2 == 0 and len(rows) <= room
    assert num_bases[rows].max() <= length
    num_partial += len(rows) < room
  assert num_partial <= 1     # so nearly nothing is computed for nobody
  assert num_partial == 0 or len(arranged[-1][1]) < room


def test_short_rows_cost_their_length():
  batches = buckets.make(make(660), 16)
  computed = sum(length * batches.num_rows[batches.lengths.index(length)]
                 for length, _ in batches.arrange([150] * 4096))
  assert computed < 4096 * 150 * 1.2
  assert buckets.make(make(660), 16, most=8).num_rows == (8,) * len(batches.lengths)
