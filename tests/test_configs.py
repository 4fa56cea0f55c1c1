"""Every config resolves and its summary equals the recorded one.

A changed default shows up in review: after a wanted change, write the new
record with  python tests/test_configs.py
"""

import importlib
import json
import pathlib

import jax
import numpy as np
import pytest

from dnajax.config import experiment as experiment_lib
from dnajax.config import model, overrides
from dnajax.masking import bound
from dnajax.training import state
from dnajax.training import task as task_lib

ROOT = pathlib.Path(__file__).resolve().parent.parent
RECORD = ROOT / "tests" / "data" / "config_summaries.json"
NAMES = sorted(path.stem for path in (ROOT / "configs").glob("*.py") if path.stem != "shared")


def all_variants():
  """[(config file, variant)] of everything in configs/."""
  return [(name, variant) for name in NAMES
          for variant in importlib.import_module(f"configs.{name}").VARIANTS]


def summary(name, variant):
  """What a config amounts to; slots that are found on data are as many as tokens."""
  one = experiment_lib.read(importlib.import_module(f"configs.{name}").get_config(variant))
  experiment_lib.check(one)
  spec = model.ModelSpec(
      tokens=one.tokens, max_length=one.data.max_length, encoder=one.encoder,
      objective=one.objective, losses=one.losses,
      num_labels={label: 2 for loss in one.losses.values() for label in loss.labels})
  ranks = np.ones(spec.tokenizer.vocabulary.size, np.int32)
  masking = one.masking and bound.bind(
      one.masking, spec.tokenizer, ranks=ranks,
      score_unselected=any(loss.scores_visible for loss in one.losses.values()))
  task = task_lib.Task(spec.module, spec.tokenizer, one.objective, one.losses, masking,
                       one.total_steps)
  params = jax.eval_shape(lambda: state.init_params(task, one.seed))
  return {
      "parameters": sum(x.size for x in jax.tree.leaves(params)),
      "num_tokens": spec.tokenizer.num_tokens,
      "num_kept": masking and masking.num_kept, "num_scored": masking and masking.num_scored,
      "peak_learning_rate": one.optimizer.peak(one.batch_size),
      "tokens_per_step": one.batch_size * spec.tokenizer.num_tokens,
      "total_steps": one.total_steps}


@pytest.mark.parametrize("name,variant", all_variants())
def test_config_matches_its_recorded_summary(name, variant):
  assert summary(name, variant) == json.loads(RECORD.read_text())[f"{name}:{variant}"]


def test_the_large_model_has_a_billion_parameters():
  assert 0.95e9 < summary("barcodemae", "1b")["parameters"] < 1.1e9


def test_every_config_has_the_four_variants():
  for name in set(NAMES) - {"finetune", "barcode_id"}:
    variants = importlib.import_module(f"configs.{name}").VARIANTS
    real = "bold" if name.startswith("barcode") else "human"
    assert {"default", real, "paper", "tiny"} <= set(variants)


PLUS = [
    (("objective.name", "mae"),),
    (("objective.name", "masked_lm"), ("masking.corruption.name", "replace"))]
PLUS_LABELS = [
    (), (("losses.labels.name", "triplet"), ("losses.labels.rank", "genus")),
    (("losses.labels.name", "pairs"), ("losses.labels.rank", "genus"),
     ("losses.labels.ramp_steps", "0")),
    (("losses.labels", "None"),), (("losses.labels", "None"), ("tokens.add_cls", "False"),
                                     ("evals.knn_genus_cls", "None"))]


@pytest.mark.parametrize("labels", PLUS_LABELS)
@pytest.mark.parametrize("model_changes", PLUS)
def test_the_ten_configurations_of_barcodemae_plus_are_overrides(model_changes, labels):
  config = importlib.import_module("configs.barcodemae_plus").get_config("paper")
  changes = [*model_changes, *labels]
  one = experiment_lib.read(overrides.apply(config.to_dict(), changes))
  experiment_lib.check(one)
  assert one.objective.name == model_changes[0][1]
  assert "labels" not in one.losses or one.losses["labels"].pooling == "cls"
  for path, text in changes:
    value = one.to_dict()
    for key in path.split(".")[:-1]:
      value = value[key]
    assert str(value.get(path.rpartition(".")[2])) == text


@pytest.mark.parametrize("names,variants,but", [
    (("barcodemae", "barcodebert"), ("default", "bold", "tiny"), ("objective", "masking")),
    (("dnabert", "genemask", "global_pmi", "randommask", "cm_step", "cm_gems"),
     ("default", "human", "tiny"), ("masking",)),
    (("cm_gems", "logo_cm_gems"), ("default", "human", "tiny"), ("encoder",))])
def test_configs_that_are_compared_differ_where_they_say(names, variants, but):
  for variant in variants:
    of = [experiment_lib.read(importlib.import_module(f"configs.{name}").get_config(variant))
          .to_dict() for name in names]
    for one in of:
      for key in but:
        del one[key]
    assert all(one == of[0] for one in of), variant


if __name__ == "__main__":
  RECORD.write_text(json.dumps(
      {f"{n}:{v}": summary(n, v) for n, v in all_variants()}, indent=2) + "\n")
