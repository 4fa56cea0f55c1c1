"""Fine-tuning as whole runs: a classifier on a pretrained encoder."""

import json
import shutil

import jax
import numpy as np
import pytest
import tiny

from configs import finetune as finetune_config
from dnajax.config import experiment as experiment_lib
from dnajax.config import plan as plan_lib
from dnajax.results import measure, several_seeds
from dnajax.shell import errors
from dnajax.training import run, stopping
from dnajax.workdir import load, metrics


@pytest.fixture(scope="module")
def pretrained(tiny_data, tmp_path_factory):
  workdir = tmp_path_factory.mktemp("pretrained")
  run.run(tiny.values("barcodemae", tiny_data, has_evals=False, total_steps=3), workdir)
  return workdir


@pytest.fixture(scope="module")
def two_seeds(tiny_data, tmp_path_factory):
  values = tiny.values("finetune", tiny_data)
  workdir, said = tmp_path_factory.mktemp("seeds"), []
  assert several_seeds.train(values, workdir, [0, 3], say=said.append)
  return values, workdir, said


def test_several_seeds_are_trained_evaluated_and_averaged(two_seeds):
  _, workdir, said = two_seeds
  document = json.loads((workdir / "report" / "results.json").read_text())
  of_test = [[entry["value"] for entry in document["results"]
              if (entry["evaluator"], entry["metric"], entry["seed"])
              == ("test", "accuracy", seed)] for seed in (0, 3)]
  assert [len(values) for values in of_test] == [1, 1]
  assert any("(2 seeds)" in text and "±" in text for text in said)
  single = json.loads((workdir / "seed_3" / "report" / "results.json").read_text())
  assert of_test[1] == [entry["value"] for entry in single["results"]
                        if (entry["evaluator"], entry["metric"]) == ("test", "accuracy")]


def test_the_task_is_learned_and_the_best_step_by_dev_is_taken(two_seeds):
  workdir = two_seeds[1] / "seed_0"
  rows = metrics.read_rows(workdir / "metrics.jsonl")
  dev = {row["step"]: row["dev/loss"] for row in rows if "dev/loss" in row}
  accuracy = [row["dev/accuracy"] for row in rows if "dev/accuracy" in row]
  assert accuracy[-1] > 0.7 > accuracy[0]
  found = measure.evaluate(workdir, say=lambda text: None)
  best = min((step for step in dev if step), key=dev.get)
  assert found["run"]["step"] == best == load.load(workdir).step
  assert not any("test/accuracy" in row for row in rows)  # only behind training


def test_the_same_call_again_leaves_finished_runs(two_seeds):
  values, workdir, _ = two_seeds
  before = (workdir / "seed_0" / "metrics.jsonl").read_bytes()
  several_seeds.train(values, workdir, [0, 3], say=lambda text: None)
  assert (workdir / "seed_0" / "metrics.jsonl").read_bytes() == before


def test_a_run_resumes_though_the_encoder_has_moved(
    tiny_data, pretrained, tmp_path, monkeypatch):
  moving = tmp_path / "moving"
  shutil.copytree(pretrained, moving)
  values = tiny.values("finetune", tiny_data, init_from__workdir=str(moving), num_epochs=2)
  run.run(values, tmp_path / "whole")
  monkeypatch.setattr(stopping.Stopping, "must_stop", lambda self, step: step == 5)
  run.run(values, tmp_path / "cut")
  monkeypatch.undo()
  shutil.rmtree(moving)
  run.run(values, tmp_path / "cut")
  assert tiny.recorded(tmp_path / "cut") == tiny.recorded(tmp_path / "whole")
  jax.tree.map(np.testing.assert_array_equal, tiny.params(tmp_path / "cut"),
               tiny.params(tmp_path / "whole"))


def test_the_encoder_is_the_pretrained_one(tiny_data, pretrained, tmp_path, monkeypatch):
  def trained(name, **overrides):
    run.run(tiny.values("finetune", tiny_data, init_from__workdir=str(pretrained),
                        optimizer__learning_rate=1e-12, encoder__width=64, **overrides),
            tmp_path / name)
    return load.load(tmp_path / name, step="latest")

  monkeypatch.setattr(stopping.Stopping, "must_stop", lambda self, step: step == 1)
  wanted, got = tiny.params(pretrained)["encoder"], trained("a")
  jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=1e-6),
               got.params["encoder"], wanted)
  assert got.meta["config"]["encoder"]["width"] == 16
  assert "step 3; the rest random" in (tmp_path / "a" / "log.txt").read_text()
  other = trained("b", init_from__take="shape").params["encoder"]
  assert (other["word"] != wanted["word"]).any() and other["word"].shape == wanted["word"].shape


def test_fine_tuning_reads_the_frames_that_it_is_told_to(tiny_data):
  def length(is_shifted):
    return plan_lib.make(tiny.values(
        "finetune", tiny_data, tokens__random_offset=is_shifted)).tokenizer.read_length
  assert length(False) == 72 and length(True) == 74   # k - 1 more, only where it is used


def test_what_does_not_suit_is_told(tiny_data, tmp_path):
  for changes, text in (
      ({"losses__label__pooling": "cls", "tokens__add_cls": False}, "no \\[CLS\\]"),
      ({"losses__label__pooling": "max"}, "'mean' or 'cls'|'cls' or 'mean'"),
      ({"init_from__workdir": str(tmp_path)}, "no checkpoint|no workdir"),
      ({"init_from__take": "best"}, "'everything', 'encoder' or 'shape'"),
      ({"losses__label__ranks": "colour"}, "colour"),
      ({"data__split": "train_{seed}"}, "no split 'train_0'")):
    with pytest.raises(errors.UserError, match=text):
      run.run(tiny.values("finetune", tiny_data, **changes), tmp_path / "new")


def test_epochs_and_warmup_become_updates(tiny_data):
  plan = plan_lib.make(tiny.values("finetune", tiny_data, num_epochs=3, batch_size=8,
                                   optimizer__schedule__warmup_fraction=0.5))
  total = 3 * -(-plan.split.num_records // 8)
  assert plan.experiment.total_steps == total
  assert plan.experiment.optimizer.schedule.warmup(total) == round(total / 2)
  assert "labels      4 of family" in plan.found[0]


def test_seeds_are_numbers_each_once():
  assert several_seeds.parse(["0", "12"]) == [0, 12]
  for wrong in (["a"], ["1", "1"], ["-1"], ["1.5"]):
    with pytest.raises(errors.UserError, match="--seeds"):
      several_seeds.parse(wrong)


def test_every_preset_is_complete():
  for variant in finetune_config.VARIANTS:
    made = experiment_lib.read(finetune_config.get_config(variant))
    experiment_lib.check(made)
    if variant.startswith(("gue", "fewshot")):
      assert made.data.name == f"labelled/{variant}"
