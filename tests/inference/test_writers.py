"""Files of embeddings: columns, float16, tokens, AnnData, and what a killed writer leaves."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dnajax.inference import embed_files, part_files, writers
from dnajax.inference.writer import Layout
from dnajax.shell import errors, failures
from tests.faults import limits

IDS, FIELDS = ["a", "b\tc", "é"], [{"genus": "Apis"}, {"genus": ""}, {"genus": "Bombus\n1"}]
ROWS = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
COLUMNS = ("genus",)


def write(path, layout, rows=ROWS):
  with writers.open_writer(path, layout) as writer:
    writer.write(IDS[:1], rows[:1], FIELDS[:1])
    writer.write(IDS[1:], rows[1:], FIELDS[1:])
  return path


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_numbers_and_names_come_back_from_every_format(tmp_path, dtype):
  layout = Layout(4, dtype, COLUMNS, about={"step": 3})
  want = ROWS.astype(dtype)
  table = pq.read_table(write(tmp_path / "a.parquet", layout))
  assert table["embedding"].type == pa.list_(
      pa.float16() if dtype == "float16" else pa.float32(), 4)
  np.testing.assert_array_equal(np.array(table["embedding"].to_pylist(), dtype), want)
  assert table["id"].to_pylist() == IDS
  assert table["genus"].to_pylist() == ["Apis", None, "Bombus\n1"]
  with np.load(write(tmp_path / "a.npz", layout), allow_pickle=False) as file:
    assert file["embeddings"].dtype == dtype and file["genus"].tolist() == [
        "Apis", "", "Bombus 1"]
    np.testing.assert_array_equal(file["embeddings"], want)
    assert file["ids"].tolist() == ["a", "b c", "é"]
  rows = np.load(write(tmp_path / "a.npy", layout))
  assert rows.dtype == dtype
  np.testing.assert_array_equal(rows, want)
  lines = [line.split("\t") for line in
           write(tmp_path / "a.tsv", layout).read_text().splitlines()]
  assert lines[0] == ["id", "genus", "e0", "e1", "e2", "e3"]
  assert [line[:2] for line in lines[1:]] == [["a", "Apis"], ["b c", ""], ["é", "Bombus 1"]]
  np.testing.assert_array_equal(np.array([line[2:] for line in lines[1:]], dtype), want)


def test_tokens_are_lists_of_embeddings_or_one_array_with_offsets(tmp_path):
  rows = [ROWS[:2], ROWS[:0], ROWS]
  layout = Layout(4, columns=COLUMNS, is_per_token=True)
  table = pq.read_table(write(tmp_path / "a.parquet", layout, rows))
  got = table["embedding"].to_pylist()
  with np.load(write(tmp_path / "a.npz", layout, rows), allow_pickle=False) as file:
    offsets = file["offsets"]
    parts = [file["embeddings"][a:b] for a, b in zip(offsets, offsets[1:], strict=False)]
  for one, other, want in zip(got, parts, rows, strict=True):
    np.testing.assert_array_equal(np.array(one, np.float32).reshape(-1, 4), want)
    np.testing.assert_array_equal(other, want)
  for suffix in (".npy", ".tsv"):
    with pytest.raises(errors.UserError, match="ends in .parquet or .npz"):
      write(tmp_path / f"a{suffix}", layout, rows)


def test_anndata_has_names_and_columns(tmp_path):
  anndata = pytest.importorskip("anndata")
  table = anndata.read_h5ad(write(tmp_path / "a.h5ad", Layout(4, columns=COLUMNS,
                                                              about={"step": 3})))
  np.testing.assert_array_equal(table.X, ROWS)
  assert table.obs_names.tolist() == ["a", "b c", "é"]
  assert list(table.obs["genus"]) == ["Apis", "", "Bombus 1"]
  assert json.loads(table.uns["dnajax"]) == {"step": 3}
  assert [path.name for path in tmp_path.iterdir()] == ["a.h5ad"]


def test_anndata_that_is_missing_is_said_before_anything_else(tmp_path, monkeypatch):
  monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
  with pytest.raises(errors.UserError, match=r"pip install 'dnajax\[h5ad\]'"):
    writers.check_output(tmp_path / "a.h5ad", overwrite=False)


@pytest.mark.parametrize("suffix", [".parquet", ".npy", ".npz", ".tsv"])
def test_a_full_disk_is_told_with_the_place_and_leaves_nothing(tmp_path, suffix):
  path, layout = tmp_path / f"a{suffix}", Layout(500)
  rows = np.random.default_rng(0).normal(size=(3, 500)).astype(np.float32)
  with limits.file_size(2_000), pytest.raises(OSError) as told:
    write(path, layout, rows)
  assert str(tmp_path) in failures.explain(told.value)
  assert not list(tmp_path.iterdir())
  write(path, layout, rows)


def test_what_a_killed_writer_left_is_gone_after_the_next_one(tmp_path):
  for end in (".part", ".part.rows", ".part.ids", ".part.column0"):
    (tmp_path / f".a.npz{end}").write_text("half")
  (tmp_path / ".ab.npz.part").write_text("of another output")
  write(tmp_path / "a.npz", Layout(4))
  assert sorted(path.name for path in tmp_path.iterdir()) == [".ab.npz.part", "a.npz"]


def test_two_writers_of_one_output_do_not_mix(tmp_path):
  with part_files.open_parts([tmp_path / "a.npy"]) as (part,):
    part.write_text("of the first")
    with pytest.raises(errors.UserError, match="Another process is writing"):
      write(tmp_path / "a.npy", Layout(4))
  assert (tmp_path / "a.npy").read_text() == "of the first"


def test_float16_refuses_what_it_cannot_hold(tiny_embedder, tmp_path, monkeypatch):
  embed_files.embed_file(tiny_embedder, [("a", "ACGTACGT")], tmp_path / "a.npy",
                         dtype="float16")
  monkeypatch.setattr(embed_files, "_LARGEST", 1e-9)
  with pytest.raises(errors.UserError, match="embedding of b has .*--dtype=float32"):
    embed_files.embed_file(tiny_embedder, [("b", "ACGTACGT")], tmp_path / "b.npy",
                           dtype="float16")
  assert not (tmp_path / "b.npy").exists()
