"""Fine-tuning as whole runs: a classifier on a pretrained encoder."""

import json

import jax
import numpy as np
import pytest
from test_resume import losses, same_params

from configs import finetune as finetune_config
from dnajax import checkpointing, errors, evaluate, seeds
from dnajax import config as config_lib
from dnajax.data import loader, records
from dnajax.evaluators import classification
from dnajax.training import finetune, metrics, run


@pytest.fixture
def config(tiny_data):
  config = finetune_config.get_config("tiny")
  config.data.dir = str(tiny_data)
  return config


def split_of(config, name="train"):
  return records.open_split(records.find(config.data.dir, config.data.name), name)


@pytest.fixture(scope="module")
def pretrained(tiny_data, tmp_path_factory):
  from configs import barcodemae
  config = barcodemae.get_config("tiny")
  config.data.dir, config.total_steps = str(tiny_data), 3
  config.evals = {}
  workdir = tmp_path_factory.mktemp("pretrained")
  run.run(config, workdir)
  return workdir


@pytest.fixture(scope="module")
def two_seeds(tiny_data, tmp_path_factory):
  config = finetune_config.get_config("tiny")
  config.data.dir = str(tiny_data)
  workdir, said = tmp_path_factory.mktemp("seeds"), []
  seeds.train(config, workdir, [0, 3], say=said.append)
  return config, workdir, said


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
  _, workdir, _ = two_seeds
  rows = metrics.read_rows(workdir / "seed_0" / "metrics.jsonl")
  dev = {row["step"]: row["dev/loss"] for row in rows if "dev/loss" in row}
  saved = checkpointing.saved_steps(workdir / "seed_0")
  best = min(set(saved) & set(dev), key=dev.get)
  accuracy = [row["dev/accuracy"] for row in rows if "dev/accuracy" in row]
  assert accuracy[-1] > 0.7 > accuracy[0]
  found = evaluate.evaluate(workdir / "seed_0", say=lambda text: None)
  assert found["run"]["step"] == best
  assert not any("test/accuracy" in row for row in rows)  # only behind training
  found = evaluate.evaluate(workdir / "seed_0", step=saved[0], say=lambda text: None)
  assert found["run"]["step"] == saved[0]


def test_the_same_call_again_leaves_finished_runs(two_seeds):
  config, workdir, _ = two_seeds
  before = (workdir / "seed_0" / "metrics.jsonl").read_bytes()
  seeds.train(config, workdir, [0, 3], say=lambda text: None)
  assert (workdir / "seed_0" / "metrics.jsonl").read_bytes() == before


def test_a_stopped_run_resumes_to_the_same_parameters(two_seeds, tmp_path, monkeypatch):
  config, workdir, _ = two_seeds
  monkeypatch.setattr(run.Events, "must_stop", lambda self, step: step == 5)
  assert run.run(config, tmp_path) == 5
  monkeypatch.undo()
  run.run(config, tmp_path)
  assert losses(tmp_path) == losses(workdir / "seed_0")
  same_params(tmp_path, workdir / "seed_0")


def test_the_encoder_is_the_pretrained_one(config, pretrained, tmp_path, monkeypatch):
  config.encoder.workdir = str(pretrained)
  config.model.width = 64  # of no importance: sizes are those of the encoder
  monkeypatch.setattr(run.Events, "must_stop", lambda self, step: step == 1)
  config.optimizer.learning_rate = 0.0
  assert run.run(config, tmp_path / "a") == 1
  _, wanted, _ = checkpointing.load_params(pretrained)
  _, got, meta = checkpointing.load_params(tmp_path / "a")
  jax.tree.map(np.testing.assert_array_equal, got["encoder"], wanted["encoder"])
  assert meta["config"]["model"]["width"] == 16 and meta["config"]["tokens"]["k"] == 3
  assert "step 3; head random" in (tmp_path / "a" / "log.txt").read_text()
  config.encoder.parameters = "random"
  assert run.run(config, tmp_path / "b") == 1
  _, other, _ = checkpointing.load_params(tmp_path / "b")
  assert (other["encoder"]["word"] != wanted["encoder"]["word"]).any()
  assert other["encoder"]["word"].shape == wanted["encoder"]["word"].shape


def test_what_does_not_suit_is_told(config, pretrained, tmp_path):
  for changes, text in (
      ({"encoder.workdir": str(pretrained), "model.pooling": "cls"}, "pooling=mean"),
      ({"encoder.workdir": str(tmp_path)}, "is no workdir"),
      ({"encoder.parameters": "best"}, "'pretrained' or 'random'"),
      ({"model.num_classes": 3}, "Leave it at 0"),
      ({"data.label": "colour"}, "no labels of rank 'colour'"),
      ({"data.split": "train_{set}"}, "only {seed}"),
      ({"data.split": "train_{seed}"}, "no split 'train_0'")):
    changed = config.copy_and_resolve_references()
    changed.update_from_flattened_dict(changes)
    with pytest.raises(errors.UserError, match=text):
      run.run(changed, tmp_path / "new")


def test_epochs_and_warmup_become_updates(config):
  config.num_epochs, config.batch_size, config.optimizer.warmup_fraction = 3, 7, 0.5
  resolved, lines = finetune.resolve(config, split_of(config))
  num_rows = split_of(config).num_records
  assert resolved.total_steps == 3 * -(-num_rows // 7)
  assert resolved.optimizer.warmup_steps == round(0.5 * resolved.total_steps)
  assert resolved.model.num_classes == 4 and "classes     4 of family" in lines[0]


def test_batches_bring_the_labels_and_leave_out_records_without(config):
  split = split_of(config, "pretrain")  # of which few are labelled
  labels = split.labels("species")
  batches = loader.TrainBatches(split, batch_size=5, length=20, seed=0, label="species")
  seen = set()
  for n in range(40):
    ids = batches.ids(n)
    rows = batches.rows(n, np.arange(1, 4))
    np.testing.assert_array_equal(rows["labels"], labels[ids[1:4]])
    np.testing.assert_array_equal(rows["bases"], split.bases(ids[1:4], 20))
    seen.update(ids.tolist())
  assert seen <= set(np.flatnonzero(labels >= 0).tolist())


def test_scores_are_those_of_the_most_probable_label():
  from sklearn import metrics as reference
  rng = np.random.default_rng(0)
  labels = rng.integers(0, 3, 50)
  logits = rng.normal(size=(50, 3)) + np.eye(3)[labels]
  got = dict(classification.Classification(lambda params: logits, labels).run(None))
  predicted = logits.argmax(axis=1)
  p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
  for name, want in (("loss", reference.log_loss(labels, p)),
                     ("accuracy", reference.accuracy_score(labels, predicted)),
                     ("macro_f1", reference.f1_score(labels, predicted, average="macro")),
                     ("mcc", reference.matthews_corrcoef(labels, predicted))):
    assert got[name] == pytest.approx(want), name
  assert "f1" not in got and got["num_queries"] == 50
  logits[3] = np.nan
  got = dict(classification.Classification(lambda params: logits, labels).run(None))
  assert np.isnan(got["accuracy"])


def test_seeds_are_numbers_each_once():
  assert seeds.parse(["0", "12"]) == [0, 12]
  for wrong in (["a"], ["1", "1"], ["-1"], ["1.5"]):
    with pytest.raises(errors.UserError, match="--seeds"):
      seeds.parse(wrong)


def test_every_preset_is_complete():
  for variant in finetune_config.VARIANTS:
    config = finetune_config.get_config(variant)
    derived = config_lib.derive(config)
    assert derived.masking is None and derived.num_tokens <= config.model.max_positions
    if variant.startswith(("gue", "fewshot")):
      assert config.data.name == f"labelled/{variant}"
