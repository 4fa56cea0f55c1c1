"""A flipped bit in a data set is named, never used."""

import shutil

import numpy as np
import pytest

from dnajax.data import columns, records, summary
from dnajax.shell import errors, files


@pytest.fixture
def directory(tiny_data, tmp_path):
  """Of a copy of the tiny data set, nothing unpacked."""
  original = records.find(tiny_data, "simulated_barcodes")
  copy = tmp_path / "data" / "simulated_barcodes" / "1.0.0"
  shutil.copytree(original, copy, ignore=shutil.ignore_patterns("columns"))
  columns.open_columns.cache_clear()   # the copy has the same fingerprint
  yield copy
  columns.open_columns.cache_clear()


def everything(directory):
  """What a reader may get of split train."""
  split = records.open_split(directory, "train")
  return (split.bases(np.arange(split.num_records), 80).tobytes(),
          [split.labels(rank).tobytes() for rank in split.ranks],
          [split.vocabulary(rank) for rank in split.ranks], split.cleaning, split.fingerprint)


def flip(path, at, bit):
  content = bytearray(path.read_bytes())
  content[at] ^= 1 << bit
  path.write_bytes(bytes(content))


@pytest.mark.parametrize("name", [
    "simulated_barcodes-train.array_record-00000-of-00001", "dataset_summary.json",
    "dataset_info.json", "features.json", "labels/genus.txt"])
def test_a_flipped_bit_of_any_file_is_named_or_changes_nothing(directory, name):
  want = everything(directory)
  shutil.rmtree(directory / "columns")
  path = directory / name
  good = path.read_bytes()
  rng = np.random.default_rng(0)
  used = np.flatnonzero(np.frombuffer(good, np.uint8))    # ArrayRecord pads with zeros
  num_named = 0
  for at in rng.choice(used, 12):
    columns.open_columns.cache_clear()
    flip(path, at, rng.integers(8))
    try:
      assert everything(directory) == want
    except errors.UserError as error:
      num_named += 1
      assert str(directory) in str(error)
    path.write_bytes(good)
    shutil.rmtree(directory / "columns", ignore_errors=True)
  assert num_named >= (10 if name != "dataset_info.json" else 1)


@pytest.mark.parametrize("column", ["codes", "starts", "genus"])
@pytest.mark.parametrize("at", [3, -1])
def test_a_flipped_bit_of_the_unpacked_columns_is_named(directory, column, at):
  want = everything(directory)
  path, = (directory / "columns").glob(f"train-*/{column}.npy")
  flip(path, at, 2)
  columns.open_columns.cache_clear()
  with pytest.raises(errors.UserError, match=f"{column}.npy is damaged.*Delete .*columns"):
    everything(directory)
  shutil.rmtree(directory / "columns")
  assert everything(directory) == want


@pytest.mark.parametrize("column", ["starts", "genus"])
def test_a_flipped_bit_in_the_header_of_a_column_is_named_or_changes_nothing(
    directory, column):
  want = everything(directory)
  path, = (directory / "columns").glob(f"train-*/{column}.npy")
  good, num_named = path.read_bytes(), 0
  for at in range(128):
    columns.open_columns.cache_clear()
    flip(path, at, at % 3)          # such as "<i4" -> ">i4", whose bytes are the same
    try:
      assert everything(directory) == want
    except errors.UserError:
      num_named += 1
    path.write_bytes(good)
  assert num_named > 50


def test_the_summary_must_be_whole_and_of_this_version(directory):
  values = summary.read(directory)
  (directory / summary.NAME).write_text("{}")
  with pytest.raises(errors.UserError, match="--overwrite"):
    records.open_split(directory, "train")
  del values["label_checksums"]
  summary.write(directory, values)
  path = directory / summary.NAME
  path.write_text(path.read_text().replace("\"checksum\"", "\"nothing\""))
  with pytest.raises(errors.UserError, match="older version.*--overwrite"):
    records.open_split(directory, "train")


def test_columns_of_a_store_lie_on_this_machine(directory, tmp_path, monkeypatch):
  want = everything(directory)
  shutil.rmtree(directory / "columns")
  columns.open_columns.cache_clear()
  monkeypatch.setattr(files, "is_remote", lambda path: str(path).startswith(str(directory)))
  monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
  assert everything(directory) == want
  assert not (directory / "columns").exists()
  assert len(list(tmp_path.glob("dnajax-columns-*/train-*/codes.npy"))) == 1
  assert not list(tmp_path.glob("dnajax-columns-*/*/records"))
