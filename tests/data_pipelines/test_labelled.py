"""Tables of sequence and label: k-mers decoded, sets dealt out, leaks counted, all or nothing."""

import collections
import gzip
import random
import subprocess
import sys

import pyarrow as pa
import pytest
import tensorflow_datasets as tfds
from pyarrow import parquet

from data_pipelines import cleaning, kmer_text, prepare
from data_pipelines.labelled import describe, ingest, presets
from dnajax.data import records as records_lib
from dnajax.data import summary as summary_lib
from dnajax.shell import errors


def draw(rng, length=20):
  return "".join(rng.choice("ACGT") for _ in range(length))


def spaced(sequence, k=6):
  return " ".join(sequence[i:i + k] for i in range(len(sequence) - k + 1))


def write_rows(path, rows, separator=",", columns=("sequence", "label"), quote=""):
  path.parent.mkdir(parents=True, exist_ok=True)
  text = "".join(separator.join(f"{quote}{cell}{quote}" for cell in cells) + "\n"
                 for cells in [columns, *rows])
  (gzip.open if path.suffix == ".gz" else open)(path, "wt").write(text)
  return str(path)


def run(inputs, tmp_path, **options):
  """(directory, summary); the data directory is tmp_path/data."""
  return prepare.prepare_labelled([str(text) for text in inputs], str(tmp_path / "data"),
                                  show_progress=False, **options)


def read_back(directory, split):
  """(bases, label, label_id) of a split through TFDS."""
  source = tfds.builder_from_directory(str(directory)).as_data_source(split)
  return [(r["bases"].decode(), r["label"].decode(), int(r["label_id"]))
          for r in (source[i] for i in range(len(source)))]


@pytest.mark.parametrize("k", [1, 2, 3, 6])
def test_kmers_decode_to_the_sequence_they_were_made_of(k):
  rng = random.Random(k)
  for length in (k, k + 1, k + 2, 40):
    sequence = draw(rng, length)
    assert kmer_text.decode(spaced(sequence, k)) == sequence
    assert kmer_text.decode(spaced(sequence.lower(), k)) == sequence.lower()


def test_a_change_of_any_letter_inside_the_kmers_is_noticed():
  sequence = draw(random.Random(0), 12)
  words = spaced(sequence).split()
  for i in range(len(words)):
    for j in range(6):
      changed = words[i][:j] + ("A" if words[i][j] != "A" else "C") + words[i][j + 1:]
      text = " ".join([*words[:i], changed, *words[i + 1:]])
      if (i, j) in ((0, 0), (len(words) - 1, 5)):       # in one word only: another sequence
        assert kmer_text.decode(text) != sequence
      else:
        with pytest.raises(kmer_text.NoOverlapError):
          kmer_text.decode(text)


@pytest.mark.parametrize("text", ["ACGTACGTAC GTACGTACGT", "ACGT CGT", "ACG CGTT", "ACG CGT T"])
def test_words_that_are_no_kmers_are_refused(text):
  with pytest.raises(kmer_text.NoOverlapError, match="word [23]"):
    kmer_text.decode(text)


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


def fewshot_tree(root, shots=10, num_sets=10, task="Splice-40"):
  rng = random.Random(5)
  rows = [(spaced(draw(rng)), str(i % 3)) for i in range(3 * shots * num_sets)]
  write_rows(root / "fewshot" / task / str(shots) / "train.tsv.gz", rows, "\t", quote='"')
  write_rows(root / "fewshot" / task / "test.tsv.gz",
             [(spaced(draw(rng)), str(i % 3)) for i in range(9)], "\t")
  return root


@pytest.mark.parametrize("above", [".", "fewshot"])
def test_a_few_shot_preset_finds_its_test_file_and_deals_out_ten_sets(tmp_path, above):
  root = fewshot_tree(tmp_path)
  directory, summary = run([root / above], tmp_path, preset="fewshot/Splice-40/10")
  assert directory.parent.name == "fewshot_Splice-40_10"
  assert set(summary["splits"]) == {*(f"train_{i}" for i in range(10)), "test"}
  assert all(split["classes"] == {"0": 10, "1": 10, "2": 10}
             for name, split in summary["splits"].items() if name != "test")
  assert summary["splits"]["test"]["num_records"] == 9
  assert summary_lib.read(directory) == summary


def test_a_preset_with_other_counts_than_stated_is_refused(tmp_path):
  root = fewshot_tree(tmp_path, shots=10, num_sets=9)
  with pytest.raises(errors.UserError, match="train.tsv.gz: 90 rows of class '0', and 10 x 10"):
    run([root], tmp_path, preset="fewshot/Splice-40/10")
  assert not (tmp_path / "data").exists()


def test_the_stand_in_for_a_missing_test_set_has_no_training_sequence(tmp_path):
  rng = random.Random(6)
  train = [(draw(rng), str(i % 2)) for i in range(20)]
  other = [(draw(rng), str(i % 2)) for i in range(8)]
  write_rows(tmp_path / "fewshot/Prom-300/10/train.tsv.gz",
             [(spaced(s), label) for s, label in train], "\t")
  with pytest.raises(errors.UserError, match="no folder gue/prom/prom_300_all"):
    run([tmp_path], tmp_path, preset="fewshot/Prom-300/10")
  write_rows(tmp_path / "gue/prom/prom_300_all/dev.csv.gz", train[:3] + other[:4])
  write_rows(tmp_path / "gue/prom/prom_300_all/test.csv.gz", other[4:] + train[5:6])
  directory, summary = run([tmp_path], tmp_path, preset="fewshot/Prom-300/10")
  assert [row[:2] for row in read_back(directory, "test")] == other
  assert summary["dropped"] == {"sequence_in_train": 4}


def test_a_directory_is_read_as_it_is_and_missing_splits_stay_missing(tmp_path):
  write_rows(tmp_path / "gue/tf/7/dev.csv", [("ACGT", "0"), ("ACGA", "1")])
  write_rows(tmp_path / "gue/tf/7/test.csv.gz", [("ACTT", "0"), ("ACTA", "1")])
  directory, summary = run([tmp_path / "gue/tf/7"], tmp_path)
  assert directory.parent.name == "tf_7" and list(summary["splits"]) == ["dev", "test"]
  write_rows(tmp_path / "gue/tf/7/dev.tsv", [("ACGT", "0")], "\t")
  with pytest.raises(errors.UserError, match="two tables of split dev: dev.csv and dev.tsv"):
    run([tmp_path / "gue/tf/7"], tmp_path, name="again")


def test_there_is_a_preset_for_every_published_task():
  groups = collections.Counter(name.rpartition("/")[0] for name in presets.PRESETS)
  assert groups == {"gue/EMP": 10, "gue/mouse": 5, "gue/prom": 6, "gue/splice": 1, "gue/tf": 5,
                    "gue/virus": 1, "gue/LPD/promoter_prediction": 2, "fewshot/Prom-core": 5,
                    "fewshot/Prom-300": 5, "fewshot/Cohn-enh": 4, "fewshot/Splice-40": 4,
                    "fewshot/Silencer": 2}
  with pytest.raises(errors.UserError, match="gue/prom/prom_core_tata"):
    presets.get("prom_core_tata")


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
