"""Folders of GUE and of the few-shot sets: found, dealt out, refused."""

import collections
import random

import pytest
from labelled_runs import draw, read_back, run, spaced, write_rows

from data_pipelines.labelled import presets
from dnajax.data import summary as summary_lib
from dnajax.shell import errors


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
