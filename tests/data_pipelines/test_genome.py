"""FASTA -> windows on disk: every base accounted for, splits apart, same from a seed."""

import gzip
import json

import genome_runs
import numpy as np
import pytest

from data_pipelines import fasta, prepare, windows
from dnajax.data import records
from dnajax.shell import errors
from dnajax.tokens import bases as base_codes

MIXED = dict(length=40, shortest=6, start_offset=30)


def random_contig(rng, length):
  """Letters in both cases with runs of N, ambiguity letters and U."""
  letters = rng.choice(list("ACGTacgtU"), length)
  for letter, num, longest in (("N", 5, 60), ("n", 3, 4), ("R", 4, 1)):
    for start in rng.integers(0, length, num):
      letters[start:start + rng.integers(1, longest + 1)] = letter
  return "".join(letters)


def write_fasta(path, contigs, width=70):
  text = "".join(f">{name} and more\n" + "".join(
      sequence[i:i + width] + "\n" for i in range(0, len(sequence), width))
                 for name, sequence in contigs.items())
  path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
  return str(path)


@pytest.fixture
def genome(tmp_path):
  """({contig: upper-case letters}, paths of two files)."""
  rng = np.random.default_rng(0)
  contigs = {f"chr{i}": random_contig(rng, length)
             for i, length in enumerate([3_000, 10, 1_700, 900], 1)}
  contigs["allN"] = "N" * 90
  first = dict(list(contigs.items())[:2])
  second = dict(list(contigs.items())[2:])
  paths = [write_fasta(tmp_path / "one.fa", first), write_fasta(tmp_path / "two.fa.gz", second)]
  return {name: text.upper().replace("U", "T") for name, text in contigs.items()}, paths


def prepare_genome(tmp_path, paths, cuts=None, **options):
  """(directory, summary); windows of 40 bp in blocks of 200 unless said otherwise."""
  options = {"block_length": 200, "valid_share": .3, "name": "g", **options}
  return prepare.prepare_genome(
      paths, str(tmp_path / "data"), cuts=windows.Cuts(**(cuts or MIXED)),
      show_progress=False, **options)


def read(directory, summary):
  """[(split, contig, first, last, letters)] in the order of the records, positions from 0.

  The letters go through dnajax.data.records, as in training; N and IUPAC are ".".
  """
  import tensorflow_datasets as tfds

  out = []
  for name in summary["splits"]:
    split = records.open_split(directory, name)
    codes = split.bases(np.arange(split.num_records), summary["splits"][name]["max_length"])
    contigs, vocabulary = split.labels("contig"), split.vocabulary("contig")
    source = tfds.builder_from_directory(str(directory)).as_data_source(name)
    for i in range(split.num_records):
      text = "".join("ACGT."[code] for code in codes[i] if code != base_codes.PAD)
      contig, _, place = source[i]["id"].decode().rpartition(":")
      assert contig == vocabulary[contigs[i]]
      first, last = map(int, place.split("-"))
      out.append((name, contig, first - 1, last - 1, text))
  return out


def masked(text):
  return "".join(x if x in "ACGT" else "." for x in text)


@pytest.mark.parametrize("split_by", ["position", "contig"])
@pytest.mark.parametrize("n_policy", ["split", "delete"])
def test_every_base_is_in_one_mixed_window_or_counted_and_splits_do_not_overlap(
    tmp_path, genome, split_by, n_policy):
  contigs, paths = genome
  directory, summary = prepare_genome(tmp_path, paths, {**MIXED, "n_policy": n_policy},
                                      split_by=split_by, seed=0)
  used = {name: np.zeros(len(text), int) for name, text in contigs.items()}
  split_at = {name: np.full(len(text), "", "U8") for name, text in contigs.items()}
  for split, contig, first, last, text in read(directory, summary):
    original = contigs[contig][first:last + 1]
    known = np.array([x != "N" for x in original])
    assert text == masked(original.replace("N", ""))
    assert n_policy == "delete" or known.all()
    used[contig][first:last + 1] += known
    split_at[contig][first:last + 1][known] = split
  assert max(counts.max() for counts in used.values()) == 1
  dropped, num_used = summary["dropped"], sum(counts.sum() for counts in used.values())
  assert num_used == sum(split["num_bases"] for split in summary["splits"].values())
  assert dropped["bases_n"] == sum(text.count("N") for text in contigs.values())
  assert num_used + dropped["bases_n"] + dropped["bases_before_start"] + dropped.get(
      "bases_too_short", 0) == sum(map(len, contigs.values()))
  assert dropped["bases_before_start"] <= 30 * 4 and num_used > 4_500
  assert summary["num_read"] == len(contigs) and sorted(summary["splits"]) == [
      "pretrain", "valid"]
  for places in split_at.values():
    parts = [places] if split_by == "contig" else np.split(places, range(200, len(places), 200))
    assert all(len(set(part) - {""}) <= 1 for part in parts)


def test_equal_seeds_give_equal_records_and_the_order_of_files_does_not_matter(
    tmp_path, genome):
  contigs, paths = genome
  found, prints = [], []
  for i, (seed, order) in enumerate([(0, 1), (0, 1), (0, -1), (1, 1)]):
    directory, summary = prepare_genome(tmp_path, paths[::order], seed=seed, name=f"g{i}")
    found.append(sorted(read(directory, summary)))
    prints.append(summary["fingerprint"])
  assert prints[0] == prints[1] and found[0] == found[1] == found[2]
  assert found[0] != found[3]
  lengths = [prepare_genome(tmp_path, paths, {**MIXED, "start_offset": 0}, seed=seed,
                            valid_share=0, name=f"s{seed}")[1]["fingerprint"] for seed in (0, 1)]
  assert lengths[0] != lengths[1]                              # the windows, not only the splits


def test_fixed_windows_start_every_stride(tmp_path):
  sequence = "".join(np.random.default_rng(1).choice(list("ACGT"), 103))
  path = write_fasta(tmp_path / "a.fa", {"c": sequence.lower()[:50] + sequence[50:]})
  directory, summary = prepare_genome(
      tmp_path, [path], dict(mode="fixed", length=20, shortest=5, stride=15), valid_share=0)
  assert read(directory, summary) == [
      ("pretrain", "c", first, min(first + 20, 103) - 1, sequence[first:first + 20])
      for first in range(0, 91, 15)]
  assert summary["dropped"] == {}


@pytest.mark.parametrize("n_policy, expected", [
    ("split", [(0, 3, "ACGT"), (7, 12, "GATTAC")]), ("delete", [(0, 12, "ACGTGATTAC")])])
def test_runs_of_n_split_windows_or_are_deleted(tmp_path, n_policy, expected):
  path = write_fasta(tmp_path / "a.fa", {"c": "acgtNnNGATtAc"}, width=5)
  directory, summary = prepare_genome(
      tmp_path, [path], dict(mode="fixed", length=10, shortest=2, n_policy=n_policy),
      valid_share=0)
  assert [row[2:] for row in read(directory, summary)] == expected
  assert summary["dropped"] == {"bases_n": 3}


def test_named_contigs_are_the_validation_split(tmp_path, genome):
  contigs, paths = genome
  directory, summary = prepare_genome(tmp_path, paths, split_by="contig",
                                      valid_contigs=("chr3", "chr4"))
  rows = read(directory, summary)
  assert {contig for split, contig, *_ in rows if split == "valid"} == {"chr3", "chr4"}
  assert {contig for split, contig, *_ in rows if split == "pretrain"} == {"chr1"}


def test_about_the_share_of_blocks_is_validation(tmp_path):
  letters = np.random.default_rng(2).choice(list("ACGT"), 100_000)
  path = write_fasta(tmp_path / "a.fa", {"c": "".join(letters)})
  _, summary = prepare_genome(tmp_path, [path], valid_share=.2)
  share = summary["splits"]["valid"]["num_bases"] / 100_000
  assert share == pytest.approx(.2, abs=.05)                   # 500 blocks


def test_a_contig_in_many_pieces_gives_the_windows_of_one_piece(tmp_path, genome, monkeypatch):
  contigs, paths = genome
  whole = read(*prepare_genome(tmp_path, paths))
  monkeypatch.setattr(fasta.read_pieces, "__defaults__", (17,))
  assert read(*prepare_genome(tmp_path, paths, name="h")) == whole


@pytest.mark.parametrize("files, options, message", [
    ([">a\nACGT\n>b\nACGTA\nACxGT\n"], {}, "f0, line 5: .*IUPAC letters: 'x'"),
    ([">a\nACGT-ACGT\n"], {}, "f0, line 2: .*'-'"),
    ([">a\nACGT\n", ">b\nAC\n>a x\nACGT\n"], {}, "f1, line 3: a contig 'a' .*f0, line 1"),
    ([">a\nACGT\n", "id\tsequence\n1\tACGT\n"], {}, "f1 is not FASTA .*TSV or CSV"),
    ([">a\nACGT\n>b\n"], {}, "f0, line 3: header '>b' without"),
    ([">a\n" + "N" * 99 + "\n"], {"valid_share": 0}, "No record is kept of 1 .99 bases_n"),
    ([">a\n" + "A" * 300 + "\n"], {"block_length": 400}, "split .*Lower --block_length=400"),
    ([">a\n" + "A" * 300 + "\n"], {"split_by": "contig"}, "split .*--valid_contigs"),
    ([">a\nACGT\n"], {"split_by": "contig", "valid_contigs": ("b", "a")}, "no contig b in"),
    ([">a\nACGT\n"], {"valid_contigs": ("a",)}, "--valid_contigs needs --split_by=contig"),
    ([">a\nACGT\n"], {"split_by": "x"}, "--split_by"),
    ([">a\nACGT\n"], {"valid_share": 1}, "--valid_share=1"),
    ([">a\nACGT\n"], {"block_length": 39}, "--block_length=39"),
    ([">a\nACGT\n"], {"name": "a/b"}, "--name=a/b")])
def test_what_cannot_be_prepared_is_refused_and_leaves_nothing(tmp_path, files, options, message):
  paths = [tmp_path / f"f{i}" for i in range(len(files))]
  for path, text in zip(paths, files, strict=True):
    path.write_text(text)
  with pytest.raises(errors.UserError, match=message):
    prepare_genome(tmp_path, list(map(str, paths)), **options)
  assert not (tmp_path / "data").exists()


@pytest.mark.slow
def test_the_command_prepares_a_genome_that_training_reads(tmp_path, genome):
  contigs, paths = genome
  done = genome_runs.run("data_pipelines.prepare", "--dataset=genome", f"--input={','.join(paths)}",
             f"--data_dir={tmp_path}/d", "--window_length=60", "--start_offset=9",
             "--block_length=300", "--seed=4", "--valid_share=.3")
  assert done.returncode == 0, done.stderr
  assert "5 contigs read, " in done.stdout and "genome/one" in done.stdout
  summary = json.loads((tmp_path / "d/genome/one/1.0.0/dataset_summary.json").read_text())
  assert summary["options"]["cuts"] == dict(
      mode="mixed", length=60, shortest=6, stride=0, start_offset=9, n_policy="split")
  assert summary["inputs"] == ["one.fa", "two.fa.gz"]
  metrics = genome_runs.two_updates(f"{tmp_path}/d", "genome/one", tmp_path / "run",
                                 "--config.data.is_generated=False")
  assert np.isfinite(metrics["masked_loss/loss"]) and metrics["knn_genus/accuracy"] > 0


@pytest.mark.parametrize("flags, message", [
    (["--windows=all"], "windows"), (["--stride=5"], "--stride belongs to"),
    (["--windows=fixed", "--start_offset=5"], "--start_offset belongs to"),
    (["--min_length=5"], "genome takes no --min_length. It belongs to --dataset=barcodes"),
    (["--simulate=seed=1"], "genome takes no --simulate"),
    (["--input="], "genome needs --input=FILE (FASTA)"),
    (["--shortest_window=60", "--window_length=60"], "--shortest_window=60")])
def test_a_wrong_flag_is_one_line_and_exit_code_2(tmp_path, genome, flags, message):
  _, paths = genome
  done = genome_runs.run("data_pipelines.prepare", "--dataset=genome", f"--input={paths[0]}",
             f"--data_dir={tmp_path}/d", *flags)
  assert done.returncode == 2 and done.stderr.startswith("error: ")
  assert done.stderr.count("\n") == 1 and message in done.stderr, done.stderr
  assert not (tmp_path / "d").exists()
