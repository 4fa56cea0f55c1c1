"""Raw file -> prepared data set and back through TFDS; all or nothing."""

import os
import pathlib
import signal
import subprocess
import sys

import pytest
import tensorflow_datasets as tfds

from data_pipelines import builder, cleaning, prepare, presets
from dnajax.data import records as records_lib
from dnajax.data import summary as summary_lib
from dnajax.shell import errors, files

HEADER = ("processid,dna_barcode,phylum,class,order,family,subfamily,genus,species,"
          "dna_bin,split")
ROWS = [  # id, sequence, genus, species, split
    ("P1", "ACGTACGTAA", "Nan", "Nan alpha", "train"),
    ("P2", "acgt-acgtcc", "NA", "", "pretrain"),
    ("P3", "NNACGTRCGTGG", "None", "None", "key_unseen"),
    ("P4", "ACGTACGTTT", "Apis", "Apis mellifera", "val_unseen"),
    ("P5", "GGGGACGTAA", "Apis", "Apis cerana", "train"),
    ("P6", "ACGUACGUGA", "Bombus", "Bombus 'ä'", "pretrain")]


def write_table(path, rows=ROWS):
  lines = [HEADER] + [f"{i},{s},Arthropoda,Insecta,,,,{g},{name},BOLD:{i},{split}"
                      for i, s, g, name, split in rows]
  path.write_text("\n".join(lines) + "\n", encoding="utf-8")
  return str(path)


def prepare_rows(tmp_path, rows=ROWS, **options):
  source = write_table(tmp_path / "rows.csv", rows)
  return prepare.prepare_barcodes([source], str(tmp_path / "data"), show_progress=False,
                                  **options)


def records(directory, split):
  """Records through TFDS, as {feature: value} with text decoded."""
  source = tfds.builder_from_directory(str(directory)).as_data_source(split)
  return [{k: v.decode() if isinstance(v, bytes) else int(v) for k, v in source[i].items()}
          for i in range(len(source))]


def leftovers(data_dir):
  """Everything under `data_dir` that no reader of data sets expects."""
  return sorted(str(p) for p in pathlib.Path(data_dir).glob("**/*")
                if ".incomplete" in str(p) or "spool" in p.name)


def test_records_come_back_through_tfds_in_order_with_labels(tmp_path):
  directory, summary = prepare_rows(tmp_path)
  assert directory == tmp_path / "data" / "barcodes" / "rows" / "1.0.0"
  got = {split: records(directory, split) for split in summary["splits"]}
  assert {split: [r["id"] for r in rows] for split, rows in got.items()} == {
      "train": ["P1", "P5"], "pretrain": ["P2", "P6"], "key_unseen": ["P3"],
      "val_unseen": ["P4"]}
  assert [r["bases"] for r in got["pretrain"]] == ["ACGTACGTCC", "ACGTACGTGA"]
  assert got["key_unseen"][0]["bases"] == "ACGTRCGTGG"
  names = {rank: (directory / "labels" / f"{rank}.txt").read_text().splitlines()
           for rank in presets.RANKS}
  for rank, vocabulary in names.items():
    assert vocabulary == sorted(vocabulary) and "" not in vocabulary
    for record in sum(got.values(), []):
      i = record[f"{rank}_id"]
      assert record[rank] == (vocabulary[i] if i >= 0 else "")


def test_vocabularies_span_all_splits_and_absent_labels_are_minus_one(tmp_path):
  directory, summary = prepare_rows(tmp_path)
  genus = (directory / "labels" / "genus.txt").read_text().splitlines()
  assert genus == ["Apis", "Bombus", "NA", "Nan"]       # "None" means absent here
  absent = records(directory, "key_unseen")[0]
  assert (absent["genus"], absent["genus_id"]) == ("", -1)
  assert records(directory, "train")[0]["genus_id"] == 3
  assert summary["num_labels"]["family"] == 0
  assert records(directory, "train")[0]["family_id"] == -1


def test_a_label_is_one_line_of_its_file_whatever_it_holds(tmp_path):
  rows = [("P1", "ACGT", '"Apis\n x"', "a\u2028b  c", "train"), *ROWS[3:5]]
  directory, _ = prepare_rows(tmp_path, rows)
  assert (directory / "labels" / "genus.txt").read_text() == "Apis\nApis x\n"
  assert records(directory, "train")[0]["species"] == "a b c"


def test_the_summary_counts_every_row_once(tmp_path):
  directory, summary = prepare_rows(tmp_path)
  assert summary_lib.read(directory) == summary
  assert summary["num_read"] == len(ROWS) and summary["dropped"] == {}
  assert {split: one["num_ambiguous"] for split, one in summary["splits"].items()} == {
      "train": 0, "pretrain": 0, "key_unseen": 1, "val_unseen": 0}      # the R of P3
  assert summary["cleaning"] == {"trim": True, "join_kmers": False}
  assert summary["splits"]["pretrain"].items() >= {
      "num_records": 2, "num_bases": 20, "min_length": 10, "max_length": 10}.items()
  assert summary["ranks"] == list(presets.RANKS) and summary["inputs"] == ["rows.csv"]


def test_dropped_rows_have_exactly_one_reason(tmp_path):
  other = write_table(tmp_path / "other.csv", [
      ("X1", "acgtacgttt", "Apis", "Apis mellifera", "test"),   # sequence of P4
      ("P5", "TTTTTTTTTT", "Apis", "", "test"),                 # id of P5
      ("P6", "ACGTACGTGA", "Bombus", "", "train")])             # not in the split
  rows = [*ROWS, ("P7", "ACGTACGTAAN", "Apis", "", "test"),     # sequence of P1
          ("P8", "ACG", "Apis", "", "test"), ("P9", "", "Apis", "", "test"),
          ("P10", "ACGTXCGTAA", "Apis", "", "test"), ("P11", "ACGTNNNNAA", "", "", "test"),
          ("P12", "ACGTACGTGGT", "", "", ""), ("P13", "ACGTACGTGGTT", "", "", "test")]
  _, summary = prepare_rows(
      tmp_path, rows, exclude=[f"{other}:test"], deduplicate=True,
      policy=cleaning.Policy(min_length=5, max_length=11, max_unknown=3,
                             on_bad_letters="drop"))
  assert summary["dropped"] == {
      "duplicate_sequence": 1, "excluded_by_id": 1, "excluded_by_sequence": 1,
      "letters_outside_iupac": 1, "no_sequence": 1, "no_split": 1, "too_long": 1,
      "too_many_unknown": 1, "too_short": 1}
  kept = sum(split["num_records"] for split in summary["splits"].values())
  assert kept + sum(summary["dropped"].values()) == summary["num_read"] == len(rows)


def test_a_whole_species_can_be_excluded(tmp_path):
  other = write_table(tmp_path / "other.csv", [("X1", "TTTT", "Apis", "Apis cerana", "test"),
                                               ("X2", "TTTT", "Apis", "", "test")])
  _, summary = prepare_rows(tmp_path, exclude=[other], exclude_by=["species"])
  assert summary["dropped"] == {"excluded_by_species": 1}


def test_an_unknown_split_of_the_excluded_file_is_refused(tmp_path):
  other = write_table(tmp_path / "other.csv")
  with pytest.raises(errors.UserError, match="no rows of split tset.*key_unseen, pretrain"):
    prepare_rows(tmp_path, exclude=[f"{other}:tset"])


def test_files_can_be_given_a_split_each(tmp_path):
  for name, sequence in (("a", "ACGT"), ("b", "GGTT")):
    (tmp_path / f"{name}.fasta").write_text(f">{name} Apis\n{sequence}\n")
  directory, summary = prepare.prepare_barcodes(
      [f"pretrain={tmp_path}/a.fasta", f"test={tmp_path}/b.fasta"], str(tmp_path / "data"),
      name="two", header_pattern=r"(?P<id>\S+) (?P<genus>\w+)", show_progress=False)
  assert list(summary["splits"]) == ["pretrain", "test"]
  assert records(directory, "test")[0]["bases"] == "GGTT"
  assert records(directory, "test")[0]["genus"] == "Apis"


def test_the_fingerprint_depends_on_the_records_and_on_nothing_else(tmp_path):
  prints = []
  changed = [*ROWS[:-1], (*ROWS[-1][:1], "ACGTACGTGC", *ROWS[-1][2:])]
  renamed = [*ROWS[:-1], (*ROWS[-1][:2], "Bomb", *ROWS[-1][3:])]
  for i, rows in enumerate([ROWS, ROWS, changed, renamed, ROWS[::-1]]):
    folder = tmp_path / str(i)
    folder.mkdir()
    _, summary = prepare_rows(folder, rows, name=f"n{i}", deduplicate=bool(i % 2))
    prints.append(summary["fingerprint"])
  assert prints[0] == prints[1] and len(set(prints)) == 4


def test_many_records_over_several_batches_and_shards_keep_their_order(
    tmp_path, monkeypatch):
  from data_pipelines import spool
  monkeypatch.setattr(spool, "_BATCH", 7)
  monkeypatch.setattr(builder, "_BATCHES_PER_SHARD", 2)
  rows = [(f"P{i}", "ACGT" + "ACGT"[i % 4] * (i % 5), f"G{i % 13}", "",
           ("train", "test")[i % 3 == 0]) for i in range(100)]
  directory, summary = prepare_rows(tmp_path, rows)
  for split, wanted in (("train", [r for r in rows if r[4] == "train"]),
                        ("test", [r for r in rows if r[4] == "test"])):
    assert [(r["id"], r["bases"], r["genus"]) for r in records(directory, split)] == [
        r[:3] for r in wanted]
  assert len(list(directory.glob("*train*-of-00005"))) == 5


def test_an_existing_data_set_is_replaced_only_on_request(tmp_path):
  directory, first = prepare_rows(tmp_path)
  with pytest.raises(errors.UserError, match="exists already.*--overwrite"):
    prepare_rows(tmp_path, ROWS[:2])
  assert len(records(directory, "pretrain")) == 2
  prepare_rows(tmp_path, ROWS[:2], overwrite=True)
  assert len(records(directory, "pretrain")) == 1 and not leftovers(tmp_path)


@pytest.mark.parametrize("rows, message", [
    ([*ROWS, ("P7", "ACG!", "", "", "train")], r"rows.csv, line 8: .*'P7'.*'!'.*drop"),
    ([*ROWS, ("P7", "ACGT", "", "", "my split")], "rows.csv, line 8: 'my split' cannot"),
    ([("P7", "ACGT", "", "", f"s{i}") for i in range(80)], "line 66: .*more than 64 values"),
    ([("P7", "", "", "", "train")], "No record is kept of 1 .1 no_sequence")])
def test_a_failure_leaves_nothing_behind(tmp_path, rows, message):
  with pytest.raises(errors.UserError, match=message):
    prepare_rows(tmp_path, rows)
  assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_exception_while_writing_leaves_nothing_behind(tmp_path, monkeypatch, error):
  generate = builder.RecordsBuilder._generate_examples

  def fail(self, split, first):
    for key, example in generate(self, split, first):
      if example["id"] == "P4":
        raise error("the disk is full")
      yield key, example

  monkeypatch.setattr(builder.RecordsBuilder, "_generate_examples", fail)
  with pytest.raises(error):
    prepare_rows(tmp_path)
  assert not (tmp_path / "data").exists()


KILLED = """
import os, signal, sys
from data_pipelines import builder, prepare
generate = builder.RecordsBuilder._generate_examples
def die(self, split, first):
  for key, example in generate(self, split, first):
    if example["id"] == "P4":
      os.kill(os.getpid(), signal.SIGKILL)
    yield key, example
builder.RecordsBuilder._generate_examples = die
prepare.prepare_barcodes([sys.argv[1]], sys.argv[2], show_progress=False)
"""


def test_a_killed_process_leaves_no_data_set_and_the_next_one_clears_up(tmp_path):
  source, data_dir = write_table(tmp_path / "rows.csv"), tmp_path / "data"
  done = subprocess.run([sys.executable, "-c", KILLED, source, str(data_dir)], check=False)
  assert done.returncode == -signal.SIGKILL
  assert not list(data_dir.glob("barcodes/*")) and leftovers(data_dir)
  directory, _ = prepare_rows(tmp_path)
  assert len(records(directory, "train")) == 2 and not leftovers(data_dir)


def test_a_data_set_for_a_store_is_made_here_and_copied(tmp_path, monkeypatch):
  want, _ = prepare_rows(tmp_path)
  store, made_here = tmp_path / "store", tmp_path / "tmp"
  made_here.mkdir()
  monkeypatch.setattr(files, "is_remote", lambda path: str(path).startswith(str(store)))
  monkeypatch.setattr("tempfile.tempdir", str(made_here))
  for overwrite in (False, True):
    directory, _ = prepare.prepare_barcodes([str(tmp_path / "rows.csv")], str(store),
                                            show_progress=False, overwrite=overwrite)
    assert directory == records_lib.find(store, "barcodes/rows")
    for path in pathlib.Path(want).glob("**/*"):
      copy = pathlib.Path(directory) / path.relative_to(want)
      assert path.is_dir() or copy.read_bytes() == path.read_bytes(), path
  assert not list(made_here.glob(".incomplete*"))
  with pytest.raises(errors.UserError, match="exists already"):
    prepare.prepare_barcodes([str(tmp_path / "rows.csv")], str(store), show_progress=False)


def run_command(*flags):
  return subprocess.run([sys.executable, "-m", "data_pipelines.prepare", *flags],
                        capture_output=True, text=True, check=False)


def test_the_command_prints_a_summary_and_the_override_to_train_on_it(tmp_path):
  source = write_table(tmp_path / "rows.csv")
  done = run_command("--dataset=barcodes", f"--input={source}", f"--data_dir={tmp_path}/d",
                     "--columns=genus:family,species:species", "--min_length=10")
  assert done.returncode == 0, done.stderr
  assert "6 records read, 6 kept" in done.stdout
  assert "1 of the letters kept are ambiguity codes" in done.stdout
  assert f"--config.data.dir={tmp_path}/d --config.data.name=barcodes/rows " in done.stdout
  assert os.listdir(tmp_path / "d") == ["barcodes"]


@pytest.mark.parametrize("flags, message", [
    (["--dataset=barcodes", "--input={f}"], "--data_dir is missing"),
    (["--dataset=cats", "--data_dir={d}"], "--dataset=cats"),
    (["--dataset=barcodes", "--data_dir={d}"], "needs --input"),
    (["--dataset=barcodes", "--data_dir={d}", "--input={f}.gz"], "no file"),
    (["--dataset=barcodes", "--data_dir={d}", "--input={f}", "--columns=genus"],
     "FIELD:COLUMN"),
    (["--dataset=barcodes", "--data_dir={d}", "--input={f}", "--preset=x"], "--preset=x"),
    (["--dataset=simulated_barcodes", "--data_dir={d}", "--simulate=x=1"], "unknown setting"),
    (["--dataset=simulated_barcodes", "--data_dir={d}", "--input={f}"], "takes no --input")])
def test_a_wrong_flag_is_one_line_and_exit_code_2(tmp_path, flags, message):
  source = write_table(tmp_path / "rows.csv")
  done = run_command(*(flag.format(f=source, d=tmp_path / "d") for flag in flags))
  assert done.returncode == 2 and message in done.stderr
  assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
  assert not (tmp_path / "d").exists()


def test_tensorflow_is_not_imported(tmp_path):
  code = ("import sys; from data_pipelines import prepare\n"
          "prepare.prepare_barcodes([sys.argv[1]], sys.argv[2], show_progress=False)\n"
          "sys.exit(3 if 'tensorflow' in sys.modules or 'jax' in sys.modules else 0)")
  source = write_table(tmp_path / "rows.csv")
  done = subprocess.run([sys.executable, "-c", code, source, str(tmp_path / "d")],
                        capture_output=True, text=True, check=False)
  assert done.returncode == 0, done.stderr
  assert done.stdout == "" and "Downloading" not in done.stderr
