import itertools

import numpy as np
import pytest

from dnajax.data import loader, records
from dnajax.shell import errors
from dnajax.tokens import bases


@pytest.fixture
def split(tiny_data):
  return records.open_split(records.find(tiny_data, "simulated_barcodes"),
                            "pretrain")


def all_texts(split):
  """Every sequence of a split as TFDS reads it, without our columns."""
  import tensorflow_datasets as tfds
  source = tfds.builder_from_directory(split.directory).as_data_source(split.name)
  return [record["bases"].decode() for record in source]


def test_columns_hold_what_the_records_hold(split):
  texts = all_texts(split)
  got = split.bases(np.arange(split.num_records), 70)
  np.testing.assert_array_equal(got, bases.encode_batch(texts, 70))
  genus = split.labels("genus")
  assert genus.shape == (split.num_records,) and genus.min() >= 0
  assert len(split.vocabulary("genus")) == 8


def test_every_record_comes_once_per_epoch_in_a_seeded_order(split):
  n = split.num_records
  batches = loader.TrainBatches(split, batch_size=n, length=8, seed=0)
  first, second = batches.ids(0), batches.ids(1)
  for ids in (first, second):
    np.testing.assert_array_equal(np.sort(ids), np.arange(n))
  assert not np.array_equal(first, second)
  other = loader.TrainBatches(split, batch_size=n, length=8, seed=1).ids(0)
  assert not np.array_equal(first, other)


def test_a_stream_from_batch_n_continues_the_whole_stream(split):
  batches = loader.TrainBatches(split, batch_size=7, length=30, seed=3)
  rows = np.arange(7)
  whole = list(itertools.islice(batches.stream(0, rows), 12))
  late = list(itertools.islice(batches.stream(5, rows), 7))
  for a, b in zip(whole[5:], late, strict=True):
    np.testing.assert_array_equal(a["bases"], b["bases"])


def test_processes_together_read_the_batch_that_one_would_read(split):
  batches = loader.TrainBatches(split, batch_size=8, length=30, seed=3)
  whole = batches.rows(4, np.arange(8))["bases"]
  parts = [batches.rows(4, np.arange(p, p + 2))["bases"] for p in range(0, 8, 2)]
  np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_finite_batches_hold_every_record_once_and_mark_what_fills_the_last(split):
  got, real = [], 0
  for batch in loader.finite_batches(split, batch_size=9, length=40):
    assert batch["bases"].shape == (9, 40)
    got.append(batch["bases"][batch["is_real"]])
    real += batch["is_real"].sum()
  assert real == split.num_records
  np.testing.assert_array_equal(np.concatenate(got),
                                split.bases(np.arange(split.num_records), 40))


def test_missing_data_names_the_command_that_prepares_it(tiny_data, tmp_path):
  with pytest.raises(errors.UserError, match="data_pipelines.prepare "
                     "--dataset=barcodes --input=YOUR_FILE .*--name=mine"):
    records.find(tmp_path, "barcodes/mine")
  directory = records.find(tiny_data, "simulated_barcodes")
  with pytest.raises(errors.UserError, match="no split 'test_unseen'.*pretrain"):
    records.open_split(directory, "test_unseen")
  with pytest.raises(errors.UserError, match="no labels of rank 'bin'"):
    records.open_split(directory, "train").labels("bin")


def test_labels_come_along_and_absent_ones_are_minus_one(split):
  species = split.labels("species")
  assert (species == -1).any() and (species >= 0).any()
  batches = loader.TrainBatches(split, batch_size=7, length=30, seed=3,
                                labels=("genus", "species"))
  ids = batches.ids(2)
  rows = batches.rows(2, np.arange(2, 5))
  assert set(rows["labels"]) == {"genus", "species"}
  np.testing.assert_array_equal(rows["labels"]["species"], species[ids[2:5]])
  got = list(loader.finite_batches(split, batch_size=9, length=8, labels=("species",)))
  np.testing.assert_array_equal(
      np.concatenate([one["labels"]["species"][one["is_real"]] for one in got]), species)
  assert all(one["labels"] == {} for one in loader.finite_batches(split, batch_size=9, length=8))


def test_labels_change_no_batch(split):
  plain, labelled = (loader.TrainBatches(split, batch_size=7, length=30, seed=3, labels=labels)
                     for labels in ((), ("species",)))
  for n in range(3):
    np.testing.assert_array_equal(plain.ids(n), labelled.ids(n))


def test_a_split_says_where_it_is_from_and_how_it_was_cleaned(tiny_data, split):
  assert split.directory == records.find(tiny_data, "simulated_barcodes")
  assert split.cleaning == {"trim": True, "join_kmers": False}
  assert split.ranks == ("order", "family", "genus", "species")


def test_stores_that_cannot_be_read_are_refused_in_one_line():
  with pytest.raises(errors.UserError, match="only gs:// and s3://"):
    records.find("ftp://x", "barcodes/mine")
