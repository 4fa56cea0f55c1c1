"""Tables of sequence and label: sets dealt out, leaks counted, all or nothing."""

import collections
import random
import subprocess
import sys

import pyarrow as pa
import pytest
from labelled_runs import draw, read_back, run, spaced, write_rows
from pyarrow import parquet

from data_pipelines import cleaning
from data_pipelines.labelled import describe, ingest
from dnajax.data import records as records_lib
from dnajax.shell import errors


def test_all_formats_of_one_table_give_the_same_records(tmp_path):
  rng = random.Random(1)
  rows = [(draw(rng, rng.randint(8, 30)), rng.choice(["exon", "intron", "2"])) for _ in range(40)]
  kmers = [(spaced(sequence), label) for sequence, label in rows]
  parquet.write_table(pa.table({"sequence": [s for s, _ in rows], "label": [c for _, c in rows]}),
                      tmp_path / "e.parquet")
  paths = [write_rows(tmp_path / "a.csv", rows), write_rows(tmp_path / "b.tsv.gz", rows, "\t"),
           write_rows(tmp_path / "c.tsv", kmers, "\t", quote='"'),
           write_rows(tmp_path / "d.csv.gz", [(s.lower(), c) for s, c in rows]),
           tmp_path / "e.parquet"]
  wanted = [(sequence, label, ["2", "exon", "intron"].index(label)) for sequence, label in rows]
  for i, path in enumerate(paths):
    directory, summary = run([f"train={path}"], tmp_path, name=f"n{i}")
    assert read_back(directory, "train") == wanted
    assert summary["splits"]["train"]["classes"] == dict(
        sorted(collections.Counter(c for _, c in rows).items()))


def test_classes_are_numbered_over_all_splits_and_kept_by_name(tmp_path):
  train = write_rows(tmp_path / "train.csv", [("ACGT", "b"), ("GGTT", "d")])
  more = write_rows(tmp_path / "more.csv", [("CCGT", "c")])
  test = write_rows(tmp_path / "test.csv", [("ACCC", "a"), ("TTTT", "d")])
  directory, summary = run([f"train={train}", f"train={more}", f"test={test}"], tmp_path)
  split = records_lib.open_split(directory, "train")
  assert split.vocabulary("label") == ["a", "b", "c", "d"]
  assert split.labels("label").tolist() == [1, 3, 2]
  assert [label for _, label, _ in read_back(directory, "test")] == ["a", "d"]
  assert "Classes of test that no training split has: a." in describe.describe(summary)


def test_other_column_names_are_given_by_flag(tmp_path):
  path = write_rows(tmp_path / "x.csv", [("i1", "ACGT", "0"), ("i2", "ACGA", "1")],
                    columns=("id", "dna", "promoter_presence"))
  with pytest.raises(errors.UserError, match="line 1: no column 'sequence'.*id, dna, promoter.*"
                                             "--columns=sequence:COLUMN"):
    run([f"train={path}"], tmp_path)
  directory, _ = run([f"train={path}"], tmp_path,
                     columns=dict(sequence="dna", label="promoter_presence"))
  assert read_back(directory, "train") == [("ACGT", "0", 0), ("ACGA", "1", 1)]


def concatenated(rng, order):
  """Rows of 3 sets with 4 "a", 2 "b" each, and {class: its sequences in file order}."""
  sets = [[(draw(rng), label) for label in "aaaabb"] for _ in range(3)]
  if order == "set by set":
    for rows in sets:
      rng.shuffle(rows)
  rows = [row for one in sets for row in one]
  if order == "class by class":
    rows.sort(key=lambda row: row[1])
  return sets, rows


@pytest.mark.parametrize("order", ["set by set", "class by class"])
def test_concatenated_sets_come_apart_however_their_classes_lie(tmp_path, order):
  sets, rows = concatenated(random.Random(2), order)
  directory, summary = run([f"train={write_rows(tmp_path / 'train.csv', rows)}"], tmp_path,
                           num_sets=3)
  assert list(sorted(summary["splits"])) == ["train_0", "train_1", "train_2"]
  for i, wanted in enumerate(sets):
    got = [(bases, label) for bases, label, _ in read_back(directory, f"train_{i}")]
    assert sorted(got) == sorted(wanted)


def test_shuffled_sets_have_the_stated_shots_and_lose_no_row(tmp_path):
  rng = random.Random(3)
  _, rows = concatenated(rng, "set by set")
  rng.shuffle(rows)
  directory, summary = run([f"train={write_rows(tmp_path / 'train.csv', rows)}"], tmp_path,
                           num_sets=3)
  assert [s["classes"] for s in summary["splits"].values()] == [{"a": 4, "b": 2}] * 3
  got = [row[:2] for i in range(3) for row in read_back(directory, f"train_{i}")]
  assert sorted(got) == sorted(rows)
  assert "each of train_0 .. train_2: a: 4 (66.7%), b: 2 (33.3%)" in describe.describe(summary)


def leaky(tmp_path):
  """Files of three splits whose sequences overlap: (inputs, rows of each split)."""
  rng = random.Random(4)
  pool = [draw(rng) for _ in range(60)]
  rows = {}
  for split, size in (("train", 60), ("dev", 25), ("test", 25)):
    rows[split] = [(rng.choice(pool), rng.choice("01")) for _ in range(size)]
  rows["test"][0] = (rows["train"][0][0].lower(), "0")   # also where the case differs
  return [f"{split}={write_rows(tmp_path / f'{split}.csv', table)}"
          for split, table in rows.items()], rows


def test_shared_sequences_are_counted_as_sets_say(tmp_path):
  inputs, rows = leaky(tmp_path)
  _, summary = run(inputs, tmp_path)
  sets = {split: {s.upper() for s, _ in table} for split, table in rows.items()}
  splits = summary["splits"]
  assert splits["train"]["also_in"] == {}
  assert splits["dev"]["also_in"] == {"train": len(sets["dev"] & sets["train"])}
  assert splits["test"]["also_in"] == {"train": len(sets["test"] & sets["train"]),
                                       "dev": len(sets["test"] & sets["dev"])}
  for split, table in rows.items():
    labels = collections.defaultdict(set)
    for sequence, label in table:
      labels[sequence.upper()].add(label)
    assert splits[split]["num_distinct"] == len(labels)
    assert splits[split]["num_contradictory"] == sum(len(found) > 1 for found in labels.values())
  shared, size = splits["test"]["also_in"]["train"], splits["test"]["num_distinct"]
  assert 0 < shared < size and summary["dropped"] == {}
  assert (f"{shared} of the {size} different sequences of test occur in train too"
          in describe.describe(summary))


@pytest.mark.parametrize("side, reason", [("train", "sequence_in_dev_or_test"),
                                          ("test", "sequence_in_train")])
def test_shared_sequences_can_be_left_out_of_either_side(tmp_path, side, reason):
  inputs, rows = leaky(tmp_path)
  directory, summary = run(inputs, tmp_path, exclude_overlap=side)
  sets = {split: {s.upper() for s, _ in table} for split, table in rows.items()}
  unwanted = {"train": sets["dev"] | sets["test"] if side == "train" else set()}
  unwanted["dev"] = unwanted["test"] = sets["train"] if side == "test" else set()
  num_kept = 0
  for split, table in rows.items():
    wanted = [s.upper() for s, _ in table if s.upper() not in unwanted[split]]
    assert [bases for bases, _, _ in read_back(directory, split)] == wanted
    num_kept += len(wanted)
  assert summary["num_read"] == 110 and summary["dropped"] == {reason: 110 - num_kept}
  assert summary["splits"]["test"]["also_in"]["train"] == 0
  assert "No sequence of test occurs in train." in describe.describe(summary)


def test_every_dropped_row_is_counted_under_one_reason(tmp_path):
  rows = [("ACGTACGT", "0"), ("", "1"), ("ACGT", ""), ("ACG!ACGT", "1"), ("ACGT GGTT", "1"),
          ("ACG", "1"), ("NNACGTNN", "1")]
  path = write_rows(tmp_path / "x.csv", rows)
  directory, summary = run([f"test={path}"], tmp_path,
                           policy=cleaning.Policy(ingest.CLEANING, on_bad_letters="drop",
                                                  min_length=4))
  assert summary["dropped"] == {"kmers_do_not_overlap": 1, "letters_outside_iupac": 1,
                                "no_label": 1, "no_sequence": 1, "too_short": 1}
  assert summary["num_read"] == 7
  assert [row[0] for row in read_back(directory, "test")] == ["ACGTACGT", "NNACGTNN"]
  assert "no training split" in describe.describe(summary)


GOOD = [("ACGTACGT", "0"), ("ACGTACGA", "1")]


@pytest.mark.parametrize("rows, options, message", [
    ([*GOOD, ("ACG!", "1")], {}, r"x.csv, line 4: .*'!'.*drop"),
    ([*GOOD, ("ACGT CGTT GTTA TTAC ACCC", "1")], {}, r"x.csv, line 4: .*word 5, 'ACCC'.*drop"),
    ([*GOOD, ("ACGT",)], {}, "x.csv, line 4: 1 cells where the header has 2"),
    (GOOD[:1], {}, "All rows have the class '0'"),
    ([], {}, "a header and no rows"),
    (GOOD, dict(num_sets=2), "the 1 rows of class '0' do not divide over 2 sets"),
    (GOOD, dict(columns={"labels": "label"}), "unknown field 'labels'")])
def test_wrong_tables_leave_nothing_behind(tmp_path, rows, options, message):
  path = write_rows(tmp_path / "x.csv", rows)
  with pytest.raises(errors.UserError, match=message):
    run([f"train={path}"], tmp_path, **options)
  assert not (tmp_path / "data").exists()


def test_a_damaged_test_file_is_named_and_nothing_is_written(tmp_path):
  train = write_rows(tmp_path / "train.csv", GOOD)
  test = tmp_path / "test.csv.gz"
  write_rows(test, [(draw(random.Random(7), 200), "0")])
  test.write_bytes(test.read_bytes()[:-20])
  with pytest.raises(errors.UserError, match="test.csv.gz, .*cut off"):
    run([f"train={train}", f"test={test}"], tmp_path)
  assert not (tmp_path / "data").exists()


def command(*flags):
  return subprocess.run([sys.executable, "-m", "data_pipelines.prepare", "--dataset=labelled",
                         *flags], capture_output=True, text=True, check=False)


def test_the_command_prints_classes_and_leaks(tmp_path):
  inputs, _ = leaky(tmp_path)
  done = command(f"--input={','.join(inputs)}", f"--data_dir={tmp_path}/d", "--name=leaky")
  assert done.returncode == 0, done.stderr
  assert "classes of train: 0: " in done.stdout and "occur in train too" in done.stdout
  assert "--config.data.name=labelled/leaky --config.data.split=train" in done.stdout


@pytest.mark.parametrize("inputs, options, message", [
    (["{t}/x.csv"], {}, "say which split it is.*--input=train="),
    (["train={t}/y.csv"], {}, "no file"),
    (["train={t}/x.fa"], {}, "FASTA and has no columns"),
    (["{t}"], {}, "no train, dev or test table"),
    (["{t}"], dict(preset="gue/tf/1"), "no folder gue/tf/1"),
    (["train={t}/x.csv"], dict(preset="gue/tf/1"), "--input is one directory"),
    (["{t}"], dict(preset="fewshot/Splice-40/10", num_sets=2), "has num_sets=10"),
    (["test={t}/x.csv"], dict(num_sets=2), "there is none"),
    (["train={t}/x.csv"], dict(num_sets=51), "1..50")])
def test_wrong_inputs_are_refused_with_a_remedy(tmp_path, inputs, options, message):
  write_rows(tmp_path / "x.csv", GOOD)
  (tmp_path / "x.fa").write_text(">a\nACGT\n")
  with pytest.raises(errors.UserError, match=message):
    run([text.format(t=tmp_path) for text in inputs], tmp_path, **options)
  assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("flags, message", [
    (["--input={t}", "--preset=gue/tf/9"], "--preset=gue/tf/9: unknown"),
    (["--input=train={t}/x.csv", "--deduplicate"], "labelled takes no --deduplicate"),
    (["--input=train={t}/x.csv"], "x.csv, line 4: the sequence has characters outside")])
def test_a_wrong_command_is_one_line_and_exit_code_2(tmp_path, flags, message):
  write_rows(tmp_path / "x.csv", [*GOOD, ("AC*GT", "1")])
  done = command(f"--data_dir={tmp_path}/d", *(flag.format(t=tmp_path) for flag in flags))
  assert done.returncode == 2 and message in done.stderr
  assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
  assert not (tmp_path / "d").exists()
