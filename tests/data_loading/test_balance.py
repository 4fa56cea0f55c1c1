"""Rows drawn class by class: what is drawn, and that it depends on (seed, n) alone."""

import itertools

import numpy as np
import pytest

from dnajax.data import balance, loader, records
from dnajax.shell import errors


@pytest.fixture
def split(tiny_data):
  return records.open_split(records.find(tiny_data, "simulated_barcodes"), "train")


SETTINGS = balance.Balance("genus", num_classes=3, rows_per_class=2)


def batches(split, **changes):
  return loader.TrainBatches(split, **{**dict(
      batch_size=10, length=30, seed=3, labels=("genus",), balance=SETTINGS), **changes})


def test_a_batch_has_rows_of_each_class_and_the_rest_goes_through_all_records(split):
  made, n = batches(split), split.num_records
  genus = split.labels("genus")
  rest = []
  for i in range(-(-n // 4)):
    ids = made.ids(i)
    rest.extend(ids[:4])
    drawn = ids[4:].reshape(3, 2)
    assert len(set(ids[4:].tolist())) == 6
    assert (genus[drawn] == genus[drawn[:, :1]]).all()
    assert len(set(genus[drawn[:, 0]].tolist())) == 3
  np.testing.assert_array_equal(np.sort(rest[:n]), np.arange(n))


def test_every_class_has_the_same_chance():
  labels = np.repeat(np.arange(6), [2, 2, 2, 50, 50, 100])
  sampler = balance.Sampler(balance.Balance("x", 2, 2), labels, seed=0)
  seen = np.bincount(labels[np.concatenate([sampler.ids(n) for n in range(600)])])
  np.testing.assert_allclose(seen / seen.sum(), 1 / 6, atol=0.03)


def test_rows_without_a_label_and_classes_of_one_row_are_not_drawn():
  labels = np.array([-1, 4, 4, 2, 1, 1, 1, -1])
  sampler = balance.Sampler(balance.Balance("x", 2, 3), labels, seed=0)
  drawn = set(np.concatenate([sampler.ids(n) for n in range(50)]).tolist())
  assert drawn == {1, 2, 4, 5, 6}
  with pytest.raises(errors.UserError, match="only 2 of x"):
    balance.Sampler(balance.Balance("x", 3, 3), labels, seed=0)


def test_a_stream_from_batch_n_continues_the_whole_stream_on_any_number_of_processes(split):
  whole = list(itertools.islice(batches(split).stream(0, np.arange(10)), 6))
  late = list(itertools.islice(batches(split).stream(4, np.arange(10)), 2))
  parts = [list(itertools.islice(batches(split).stream(4, np.arange(p, p + 5)), 2))
           for p in (0, 5)]
  for n in range(2):
    np.testing.assert_array_equal(whole[4 + n]["bases"], late[n]["bases"])
    np.testing.assert_array_equal(
        whole[4 + n]["labels"]["genus"],
        np.concatenate([part[n]["labels"]["genus"] for part in parts]))
  assert not np.array_equal(batches(split, seed=4).ids(0), batches(split).ids(0))
