"""Embedding files: order, cuts, odd sequences, every kind of input and output."""

import gzip
import json
import subprocess
import sys

import numpy as np
import oracles
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dnajax import bases as base_codes
from dnajax import checkpointing, embed, embed_writers, errors, partitioning
from dnajax import config as config_lib
from dnajax.data import records
from dnajax.evaluators import features
from dnajax.training import run, state

WIDTH, MAX_LENGTH = 16, 72   # of the tiny config


@pytest.fixture(scope="module")
def workdir(tiny_data, tmp_path_factory):
  """What a run leaves after its first checkpoint; nothing is trained."""
  from configs import barcodemae
  config = barcodemae.get_config("tiny")
  derived = config_lib.derive(config)
  split = records.open_split(records.find(tiny_data, config.data.name), "pretrain")
  make, *_ = state.create(config_lib.build_model(config, derived), config, derived,
                          partitioning.make_mesh(config.mesh))
  path = tmp_path_factory.mktemp("runs") / "tiny"
  checkpointer = checkpointing.Checkpointer(path, keep=1)
  checkpointer.save(2, make(), run.make_meta(config, derived, split))
  checkpointer.close()
  return path


@pytest.fixture(scope="module")
def embedder(workdir):
  return embed.load(workdir)


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


def read_back(path):
  """(ids, embeddings) of an output file."""
  if path.suffix == ".parquet":
    table = pq.read_table(path)
    assert table.schema.field("embedding").type == pa.list_(pa.float32(), WIDTH)
    return table["id"].to_pylist(), np.array(table["embedding"].to_pylist(), np.float32)
  if path.suffix == ".npy":
    ids = embed_writers.ids_path(path).read_text().splitlines()
    return ids, np.load(path, allow_pickle=False)
  if path.suffix == ".npz":
    with np.load(path, allow_pickle=False) as file:
      return file["ids"].tolist(), file["embeddings"]
  rows = [line.split("\t") for line in path.read_text().splitlines()]
  assert rows[0] == ["id", *(f"e{i}" for i in range(WIDTH))]
  return [row[0] for row in rows[1:]], np.array([row[1:] for row in rows[1:]], np.float32)


def test_embeddings_are_the_encoder_features_of_the_checkpoint(workdir, embedder):
  sequences = some_sequences()
  _, params, meta = checkpointing.load_params(workdir)
  config = config_lib.from_dict(meta["config"])
  derived = config_lib.derive(config)
  want = features.encoder_features(
      config_lib.build_model(config, derived), params,
      base_codes.encode_batch(sequences, MAX_LENGTH), vocabulary=derived.vocabulary,
      stride=config.tokens.stride, batch_size=len(sequences))
  np.testing.assert_allclose(embedder.embed(sequences), want, atol=1e-5)
  assert embedder.embed([]).shape == (0, WIDTH)


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
  got = embedder.embed(["", "AC", "NNNNNN", "ACG"])    # k = 3
  assert np.isnan(got).all(axis=1).tolist() == [True, True, False, False]
  assert np.isfinite(got[2:]).all()   # k-mers of N are [UNK], which is a token


@pytest.mark.parametrize("suffix", [".parquet", ".npy", ".npz", ".tsv"])
def test_every_output_holds_ids_and_embeddings_in_order(embedder, tmp_path, suffix):
  sequences = [*some_sequences(), "A"]
  pairs = [(f"id {i}é", text) for i, text in enumerate(sequences)]
  output = tmp_path / f"out.v1{suffix}"
  counts = embed.embed_file(embedder, iter(pairs), str(output), batch_size=8)
  ids, rows = read_back(output)
  assert ids == [name for name, _ in pairs]
  np.testing.assert_allclose(rows, embedder.embed(sequences), atol=1e-5)
  assert rows.dtype == np.float32
  assert counts == {"num_sequences": 12, "num_cut": 0, "num_empty": 1,
                    "empty_ids": ["id 11é"]}
  assert len(list(tmp_path.iterdir())) == (2 if suffix == ".npy" else 1)


def test_parquet_says_where_the_numbers_come_from(embedder, tmp_path):
  output = tmp_path / "out.parquet"
  embed.embed_file(embedder, [("a", "ACGTACGT")], output)
  about = json.loads(pq.read_schema(output).metadata[b"dnajax"])
  assert (about["step"], about["pooling"], about["tokens"]["k"]) == (2, "mean", 3)


def test_existing_output_stays_unless_overwrite(embedder, tmp_path):
  output = tmp_path / "out.npy"
  embed_writers.ids_path(output).write_text("precious")
  with pytest.raises(errors.UserError, match="--overwrite"):
    embed.embed_file(embedder, [("a", "ACGT")], output)
  assert embed_writers.ids_path(output).read_text() == "precious"
  embed.embed_file(embedder, [("a", "ACGT")], output, overwrite=True)
  assert read_back(output)[0] == ["a"]


@pytest.mark.parametrize("suffix", [".parquet", ".npy", ".npz", ".tsv"])
def test_an_error_half_way_leaves_no_file(embedder, tmp_path, suffix):
  def pairs():
    yield from [("a", "ACGTACGT")] * 20
    raise errors.UserError("line 21 is damaged")
  with pytest.raises(errors.UserError, match="line 21"):
    embed.embed_file(embedder, pairs(), tmp_path / f"out{suffix}", batch_size=8)
  assert not list(tmp_path.iterdir())


def test_unknown_kind_of_output_and_empty_input_are_refused(embedder, tmp_path):
  with pytest.raises(errors.UserError, match=".parquet, .npy, .npz or .tsv"):
    embed.embed_file(embedder, [("a", "ACGT")], tmp_path / "out.csv")
  with pytest.raises(errors.UserError, match="no sequence"):
    embed.embed_file(embedder, [], tmp_path / "out.tsv")
  assert not list(tmp_path.iterdir())


def test_every_input_gives_the_same_pairs(tmp_path):
  sequences = some_sequences(4)
  want = [(f"id{i}", text) for i, text in enumerate(sequences)]
  write_fasta(tmp_path / "a.fa", sequences)
  write_fasta(tmp_path / "a.fa.gz", sequences, gzip.open)
  rows = [("processid", "nucleotides"), *want]
  (tmp_path / "a.tsv").write_text("".join("\t".join(row) + "\n" for row in rows))
  (tmp_path / "a.csv").write_text("".join(",".join(row) + "\n" for row in rows))
  pq.write_table(pa.table({"processid": [n for n, _ in want],
                           "nucleotides": sequences}), tmp_path / "a.parquet")
  for path in tmp_path.iterdir():
    assert list(embed.read_pairs(path)) == want, path
  (tmp_path / "own.tsv").write_text(
      "".join("\t".join(row) + "\n" for row in [("name", "dna"), *want]))
  for columns in (["sequence:dna", "id:name"], ["dna", "id:name"]):
    assert list(embed.read_pairs(tmp_path / "own.tsv", columns)) == want


def test_a_wrong_column_is_found_before_the_model_is_loaded(tmp_path):
  path = tmp_path / "a.tsv"
  path.write_text("name\tletters\nx\tACGT\n")
  with pytest.raises(errors.UserError, match="--columns=sequence:COLUMN"):
    embed.read_pairs(path)


def test_cls_pooling_of_a_model_without_cls_is_refused(workdir):
  with pytest.raises(errors.UserError, match="pooling=mean"):
    embed.load(workdir, pooling="cls")


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
