"""Every config resolves and its summary equals the recorded one.

A changed default shows up in review: after a wanted change, write the new
record with  python tests/test_configs.py
"""

import importlib
import json
import pathlib

import jax
import pytest

from dnajax import config as config_lib
from dnajax.bench import train as bench_train
from dnajax.training import state

ROOT = pathlib.Path(__file__).resolve().parent.parent
RECORD = ROOT / "tests" / "data" / "config_summaries.json"
NAMES = sorted(path.stem for path in (ROOT / "configs").glob("*.py"))


def all_variants():
  """[(config file, variant)] of everything in configs/."""
  return [(name, variant) for name in NAMES
          for variant in importlib.import_module(f"configs.{name}").VARIANTS]


def summary(name, variant):
  """What a config amounts to."""
  config = importlib.import_module(f"configs.{name}").get_config(variant)
  if config.model.name == "classifier":
    config.model.num_classes = 2  # found on the data
  derived = config_lib.derive(config)
  model = config_lib.build_model(config, derived)
  params = jax.eval_shape(lambda: state.init_params(model, config, derived))
  return {
      "parameters": sum(x.size for x in jax.tree.leaves(params)),
      "num_tokens": derived.num_tokens, "num_kept": derived.num_kept,
      "num_scored": derived.num_scored,
      "peak_learning_rate": derived.peak_learning_rate,
      "tokens_per_step": config.batch_size * derived.num_tokens,
      "gflop_per_step": derived.masking and round(
          bench_train.step_flops(config, derived) / 1e9, 3),
      "total_steps": config.total_steps}


@pytest.mark.parametrize("name,variant", all_variants())
def test_config_matches_its_recorded_summary(name, variant):
  assert summary(name, variant) == json.loads(RECORD.read_text())[f"{name}:{variant}"]


def test_every_config_has_the_four_variants():
  for name in set(NAMES) - {"finetune"}:
    variants = importlib.import_module(f"configs.{name}").VARIANTS
    real = "bold" if name.startswith("barcode") else "human"
    assert {"default", real, "paper", "tiny"} <= set(variants)


@pytest.mark.parametrize("variant", ["default", "bold", "tiny"])
def test_barcodemae_and_barcodebert_differ_in_model_and_corruption_only(variant):
  def flat(name):
    config = importlib.import_module(f"configs.{name}").get_config(variant)
    return {key: value for key, value in
            config_lib.from_dict(config.to_dict()).items() if key != "model"}
  mae, bert = flat("barcodemae"), flat("barcodebert")
  mae["masking"].corruption = bert["masking"].corruption = "any"
  assert str(mae) == str(bert)


if __name__ == "__main__":
  RECORD.write_text(json.dumps(
      {f"{n}:{v}": summary(n, v) for n, v in all_variants()}, indent=2) + "\n")
