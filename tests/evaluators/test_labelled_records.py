"""Labelled records: sequences that two sides share."""

import numpy as np
import pytest

from dnajax.evaluators import labelled
from dnajax.shell import errors


def side(split, rows):
  bases = np.array(rows, np.uint8)
  return labelled.Labelled(split, np.arange(len(rows)) * 2, bases,
                           np.arange(len(rows)), num_unlabelled=0)


def test_shared_sequences_are_counted_and_left_out_if_asked():
  queries = side("test", [[0, 1], [2, 3], [0, 1], [1, 1]])
  keys = side("train", [[0, 1], [3, 3]])
  same, number = labelled.split_shared(queries, keys, exclude=False)
  assert same is queries and number == 2
  rest, number = labelled.split_shared(queries, keys, exclude=True)
  assert number == 2 and rest.split == "test"
  np.testing.assert_array_equal(rest.bases, [[2, 3], [1, 1]])
  np.testing.assert_array_equal(rest.labels, [1, 3])
  np.testing.assert_array_equal(rest.ids, [2, 6])
  assert labelled.split_shared(rest, keys, exclude=True) == (rest, 0)
  with pytest.raises(errors.UserError, match="nothing is left"):
    labelled.split_shared(keys, keys, exclude=True)


def test_what_is_shared_is_said_in_a_protocol():
  assert labelled.shared_in_words(1_250, "queries", "key") == (
      "; 1,250 queries have a sequence that is also a key")
  assert labelled.shared_in_words(0, "queries", "key") == ""
