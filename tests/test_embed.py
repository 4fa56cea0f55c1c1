"""Embedding files: order, cuts, odd sequences, every kind of input and output."""

import dataclasses
import gzip
import json
import subprocess
import sys

import numpy as np
import oracles
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import dnajax
from data_pipelines import cleaning
from dnajax.data import records
from dnajax.inference import embed_files, encode, sources, strands, writers
from dnajax.inference import embedder as embedder_lib
from dnajax.shell import errors, files
from dnajax.tokens import bases as base_codes
from dnajax.workdir import load

zstd = pytest.importorskip("backports.zstd")   # the standard library has it from 3.14 on

WIDTH, MAX_LENGTH = 16, 72   # of the tiny config


@pytest.fixture(scope="module")
def workdir(tiny_workdir):
  """As of a run."""
  return tiny_workdir


@pytest.fixture(scope="module")
def embedder(workdir):
  return dnajax.load(workdir)


def some_sequences(num=11):
  """Different lengths around and below the longest the model reads, with N."""
  codes = oracles.random_codes(np.random.default_rng(0), num, MAX_LENGTH)
  codes[:, :6] %= 4
  return [oracles.text(row).rstrip(".").replace(".", "N") for row in codes]


def write_fasta(path, sequences, opener=open):
  with opener(path, "wt") as file:
    for i, text in enumerate(sequences):
      file.write(f">id{i} some words\n{text}\n")
  return path


def pairs_of(path, columns=()):
  """[(id, sequence)] that the command reads."""
  with sources.opened([str(path)], columns) as source:
    return [record[:2] for record in source.records()]


def read_back(path):
  """(ids, embeddings) of an output file."""
  if path.suffix == ".parquet":
    table = pq.read_table(path)
    assert table.schema.field("embedding").type == pa.list_(pa.float32(), WIDTH)
    return table["id"].to_pylist(), np.array(table["embedding"].to_pylist(), np.float32)
  if path.suffix == ".npy":
    ids = writers.targets_of(path)[1].read_text().splitlines()
    return ids, np.load(path, allow_pickle=False)
  if path.suffix == ".npz":
    with np.load(path, allow_pickle=False) as file:
      return file["ids"].tolist(), file["embeddings"]
  rows = [line.split("\t") for line in path.read_text().splitlines()]
  assert rows[0] == ["id", *(f"e{i}" for i in range(WIDTH))]
  return [row[0] for row in rows[1:]], np.array([row[1:] for row in rows[1:]], np.float32)


def test_embeddings_are_the_encoder_features_of_the_checkpoint(workdir, embedder):
  sequences = some_sequences()
  trained = load.load(workdir)
  assert trained.step == embedder.trained.step == 2
  bases = [cleaning.Cleaning().clean(text) for text in sequences]
  want = encode.encoder_features(
      trained.module, trained.params, base_codes.encode_batch(bases, MAX_LENGTH),
      tokenizer=trained.tokenizer, batch_size=len(sequences))
  np.testing.assert_allclose(embedder.embed(sequences), want, atol=1e-5)
  assert embedder.embed([]).shape == (0, WIDTH)


def test_a_sequence_is_the_same_however_it_is_written(embedder):
  text = some_sequences()[0].strip("N").replace("N", "A")[:60]
  ways = [text, "--" + text, "N" + text, f"-NN{text}nn-", text.lower(),
          text.replace("T", "U"), text[:9] + "---" + text[9:]]
  rows = embedder.embed(ways)
  np.testing.assert_array_equal(rows, np.broadcast_to(rows[0], rows.shape))


def test_a_model_reads_sequences_as_those_it_was_trained_on(embedder):
  meta = {**embedder.trained.meta, "cleaning": {"trim": False, "join_kmers": True}}
  of_kmers = embedder_lib.Embedder(dataclasses.replace(embedder.trained, meta=meta))
  joined, kmers, outer = of_kmers.embed(["ACGTACGTA", "ACGTA CGTAC GTACG TACGT ACGTA",
                                         "NACGTACGTA"])
  np.testing.assert_array_equal(joined, kmers)
  assert not np.array_equal(joined, outer)
  with pytest.raises(errors.UserError, match="Sequence 0 has blanks.*word 2"):
    of_kmers.embed(["ACG TTT"])


@pytest.mark.parametrize("suffix", [".parquet", ".npy", ".npz", ".tsv"])
def test_an_output_in_a_store_is_written_here_and_copied(
    embedder, tmp_path, monkeypatch, suffix):
  here = tmp_path / "tmp"
  here.mkdir()
  monkeypatch.setattr("tempfile.tempdir", str(here))
  monkeypatch.setattr(files, "is_remote", lambda path: str(path).startswith(str(tmp_path)))
  output = tmp_path / f"out{suffix}"
  embed_files.embed_file(embedder, [("a", "ACGTACGT")], output)
  assert read_back(output)[0] == ["a"] and not list(here.iterdir())


def test_centred_embeddings_are_embeddings_less_the_kept_mean(workdir, embedder):
  sequences = some_sequences()
  kept = load.load(workdir).meta["centre"]
  got = dnajax.load(workdir, centre=True).embed(sequences)
  np.testing.assert_allclose(
      got, embedder.embed(sequences) - np.array(kept["mean"], np.float32), atol=1e-6)


def test_the_kept_mean_is_that_of_the_training_records(workdir, tiny_data):
  trained = load.load(workdir)
  kept = trained.meta["centre"]
  split = records.open_split(records.find(tiny_data, "simulated_barcodes"), "pretrain")
  bases = split.bases(np.arange(split.num_records), MAX_LENGTH)
  assert kept["num_records"] == len(bases) < 1024
  rows = encode.encoder_features(trained.module, trained.params, bases,
                                 tokenizer=trained.tokenizer, batch_size=64)
  np.testing.assert_allclose(kept["mean"], rows.mean(axis=0), atol=1e-5)
  assert kept["kmer_counts"] == strands.profile(bases).tolist() and "cls" not in kept


@pytest.mark.parametrize("asked", [dict(centre=True), dict(strand="either")])
def test_a_checkpoint_that_keeps_no_mean_says_how_to_get_one(embedder, asked):
  for meta in ({**embedder.trained.meta, "centre": None},
               {key: value for key, value in embedder.trained.meta.items() if key != "centre"}):
    with pytest.raises(errors.UserError, match="checkpoint.centre_records=1024"):
      embedder_lib.Embedder(dataclasses.replace(embedder.trained, meta=meta), **asked)


def test_reversed_reads_are_turned_whatever_their_length(workdir, embedder, tiny_data):
  split = records.open_split(records.find(tiny_data, "simulated_barcodes"), "train")
  sequences = [oracles.text(row) for row in split.bases(np.arange(20), 60)]
  long = sequences[0] + "N" * 8 + sequences[0]       # longer than the model reads
  turned = [strands.reverse_complement(text.encode()).decode() for text in sequences]
  either = dnajax.load(workdir, strand="either")
  np.testing.assert_array_equal(either.embed([*turned, ""]), either.embed([*sequences, ""]))
  is_right = (either.embed(sequences) == embedder.embed(sequences)).all(axis=1)
  assert is_right.mean() > 0.8
  backward = dnajax.load(workdir, strand="reverse")
  np.testing.assert_array_equal(
      backward.embed([strands.reverse_complement(long.encode()).decode()]),
      embedder.embed([long]))
  batch, = backward.stream([("a", sequences[0])], batch_size=8)
  assert batch.is_reversed.tolist() == [True]


def test_ways_to_read_that_cannot_be_are_refused(workdir):
  with pytest.raises(errors.UserError, match="strand 'up'. Known: forward, reverse, either"):
    dnajax.load(workdir, strand="up")
  with pytest.raises(errors.UserError, match="frames=0 must be at least 1"):
    dnajax.load(workdir, frames=0)
  with pytest.raises(errors.UserError, match="centre needs frames=1, it is 3"):
    dnajax.load(workdir, frames=3, centre=True)


def test_batch_size_and_letter_case_change_nothing(embedder):
  sequences = some_sequences()
  whole = embedder.embed(sequences)
  small = embedder.embed([text.lower() for text in sequences], batch_size=2)
  np.testing.assert_allclose(small, whole, atol=1e-5)


def test_what_lies_behind_the_longest_length_is_not_read_and_counted(embedder):
  long = "ACGT" * MAX_LENGTH
  batch, = embedder.stream([("a", long), ("b", long[:MAX_LENGTH])], batch_size=8)
  assert batch.is_cut.tolist() == [True, False]
  np.testing.assert_array_equal(*batch.embeddings)


def test_sequences_without_a_whole_kmer_are_nan(embedder):
  got = embedder.embed(["", "AC", "NNNNNN", "ANC", "ACG"])    # k = 3
  assert np.isnan(got).all(axis=1).tolist() == [True, True, True, False, False]
  assert np.isfinite(got[3:]).all()   # k-mers with N are [UNK], which is a token


@pytest.mark.parametrize("suffix", [".parquet", ".npy", ".npz", ".tsv"])
def test_every_output_holds_ids_and_embeddings_in_order(embedder, tmp_path, suffix):
  sequences = [*some_sequences(), "A"]
  pairs = [(f"id {i}é", text) for i, text in enumerate(sequences)]
  output = tmp_path / f"out.v1{suffix}"
  counts = embed_files.embed_file(embedder, iter(pairs), str(output), batch_size=8)
  ids, rows = read_back(output)
  assert ids == [name for name, _ in pairs]
  np.testing.assert_allclose(rows, embedder.embed(sequences), atol=1e-5)
  assert rows.dtype == np.float32
  assert counts == embed_files.Counts(num_sequences=12, num_empty=1, empty_ids=["id 11é"])
  assert len(list(tmp_path.iterdir())) == (2 if suffix == ".npy" else 1)


def test_parquet_says_where_the_numbers_come_from(embedder, tmp_path):
  output = tmp_path / "out.parquet"
  embed_files.embed_file(embedder, [("a", "ACGTACGT")], output)
  about = json.loads(pq.read_schema(output).metadata[b"dnajax"])
  assert (about["step"], about["pooling"], about["tokens"]["k"]) == (2, "mean", 3)
  assert about["cleaning"]["trim"] is True
  assert (about["is_centred"], about["frames"], about["strand"]) == (False, 1, "forward")


def test_existing_output_stays_unless_overwrite(embedder, tmp_path):
  output = tmp_path / "out.npy"
  writers.targets_of(output)[1].write_text("precious")
  with pytest.raises(errors.UserError, match="--overwrite"):
    embed_files.embed_file(embedder, [("a", "ACGT")], output)
  assert writers.targets_of(output)[1].read_text() == "precious"
  embed_files.embed_file(embedder, [("a", "ACGT")], output, overwrite=True)
  assert read_back(output)[0] == ["a"]


@pytest.mark.parametrize("suffix", [".parquet", ".npy", ".npz", ".tsv"])
def test_an_error_half_way_leaves_no_file(embedder, tmp_path, suffix):
  def pairs():
    yield from [("a", "ACGTACGT")] * 20
    raise errors.UserError("line 21 is damaged")
  with pytest.raises(errors.UserError, match="line 21"):
    embed_files.embed_file(embedder, pairs(), tmp_path / f"out{suffix}", batch_size=8)
  assert not list(tmp_path.iterdir())


def test_unknown_kind_of_output_and_empty_input_are_refused(embedder, tmp_path):
  with pytest.raises(errors.UserError, match="in .parquet, .npy, .npz, .tsv or .h5ad"):
    embed_files.embed_file(embedder, [("a", "ACGT")], tmp_path / "out.csv")
  with pytest.raises(errors.UserError, match="no sequence"):
    embed_files.embed_file(embedder, [], tmp_path / "out.tsv")
  assert not list(tmp_path.iterdir())


def test_every_input_gives_the_same_pairs(tmp_path):
  sequences = some_sequences(4)
  want = [(f"id{i}", text) for i, text in enumerate(sequences)]
  write_fasta(tmp_path / "a.fa", sequences)
  write_fasta(tmp_path / "a.fa.gz", sequences, gzip.open)
  write_fasta(tmp_path / "a.fa.zst", sequences, zstd.open)
  rows = [("processid", "nucleotides"), *want]
  (tmp_path / "a.tsv").write_text("".join("\t".join(row) + "\n" for row in rows))
  (tmp_path / "a.csv").write_text("".join(",".join(row) + "\n" for row in rows))
  pq.write_table(pa.table({"processid": [n for n, _ in want],
                           "nucleotides": sequences}), tmp_path / "a.parquet")
  for path in tmp_path.iterdir():
    assert pairs_of(path) == want, path
  (tmp_path / "own.tsv").write_text(
      "".join("\t".join(row) + "\n" for row in [("name", "dna"), *want]))
  for columns in (["sequence:dna", "id:name"], ["dna", "id:name"]):
    assert pairs_of(tmp_path / "own.tsv", columns) == want


def test_a_wrong_column_is_found_before_the_model_is_loaded(tmp_path):
  path = tmp_path / "a.tsv"
  path.write_text("name\tletters\nx\tACGT\n")
  with pytest.raises(errors.UserError, match="--columns=sequence:COLUMN"):
    pairs_of(path)


@pytest.mark.parametrize("pooling, message", [("cls", "pooling=mean"),
                                              ("sum", "Unknown pooling 'sum'. Known: mean, cls")])
def test_pooling_that_cannot_be_is_refused(workdir, pooling, message):
  with pytest.raises(errors.UserError, match=message):
    dnajax.load(workdir, pooling=pooling)


@pytest.mark.slow
def test_the_command_embeds_a_file_and_tells_what_is_odd(workdir, tmp_path):
  fasta = write_fasta(tmp_path / "a.fa", [*some_sequences(5), "A", "ACGT" * 90])
  command = [sys.executable, "-m", "dnajax.embed", f"--workdir={workdir}",
             f"--input={fasta}", f"--output={tmp_path / 'out.npy'}", "--batch_size=4"]
  done = subprocess.run(command, capture_output=True, text=True, timeout=200)
  assert done.returncode == 0, done.stderr
  assert "7 sequences × 16 numbers" in done.stdout and "out.ids.txt" in done.stdout
  assert "First: id5" in done.stderr and "longer than 72 bp" in done.stderr
  ids, rows = read_back(tmp_path / "out.npy")
  assert ids == [f"id{i}" for i in range(7)]
  assert np.isnan(rows).any(axis=1).tolist() == [False] * 5 + [True, False]
  again = subprocess.run(command, capture_output=True, text=True, timeout=200)
  assert again.returncode == 2
  assert again.stderr.startswith("error: ") and again.stderr.count("\n") == 1
