"""dnajax.evaluate: what it says equals what training said, and wrong workdirs."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from flax.core import meta as flax_meta

from dnajax import checkpointing, errors, evaluate, partitioning
from dnajax import config as config_lib
from dnajax.training import metrics
from dnajax.training import state as state_lib


@pytest.fixture(scope="module")
def workdir(tiny_data, tmp_path_factory):
  """A finished run with evaluations at 0, 4 and 8, checkpoints at 3, 6 and 8."""
  from configs import barcodemae
  from dnajax.training import run
  config = barcodemae.get_config("tiny")
  config.data.dir = str(tiny_data)
  path = tmp_path_factory.mktemp("runs") / "tiny"
  run.run(config, path)
  return path


@pytest.fixture(scope="module")
def found(workdir):
  return evaluate.evaluate(workdir, say=lambda text: None)


def value_of(found, **wanted):
  value, = [entry["value"] for entry in found["results"]
            if wanted.items() <= entry.items()]
  return value


def test_untrained_and_trained_columns_are_what_training_reported(workdir, found):
  rows = metrics.read_rows(workdir / "metrics.jsonl")
  for features, step in ((evaluate.UNTRAINED, 0), (evaluate.TRAINED, 8)):
    logged = {name.split("/")[1]: value for row in rows if row["step"] == step
              for name, value in row.items() if name.startswith("knn_genus/")}
    for metric in ("accuracy", "macro_accuracy", "mean_cosine", "effective_rank"):
      assert value_of(found, evaluator="knn_genus", features=features, step=step,
                      metric=metric) == pytest.approx(logged[metric], rel=1e-5)
  logged, = [row["knn_genus_kmers/accuracy"] for row in rows
             if "knn_genus_kmers/accuracy" in row]
  assert value_of(found, evaluator="knn_genus_kmers", metric="accuracy", step=None) == logged
  assert value_of(found, evaluator="masked_loss", metric="loss") == pytest.approx(
      [row["masked_loss/loss"] for row in rows if "masked_loss/loss" in row][-1], rel=1e-5)


def test_what_training_said_of_its_masking_is_averaged_over_its_updates(workdir, found):
  shares = [row["masking/share"] for row in metrics.read_rows(workdir / "metrics.jsonl")
            if "masking/share" in row]
  assert len(shares) == 8
  assert value_of(found, evaluator="training", metric="selected_share",
                  n=8) == pytest.approx(np.mean(shares))
  assert metrics.mean_rows([{"step": 4, "a": 1.0}, {"step": 4, "b": 1.0},
                            {"step": 10, "a": 2.0}, {"step": 11, "a": 99.0}],
                           ("a", "c"), 10) == {"a": pytest.approx(1.6)}


def test_initial_params_equal_those_the_run_started_from(workdir):
  config = config_lib.load_workdir_config(workdir)
  derived = config_lib.derive(config)
  model = config_lib.build_model(config, derived)
  mesh = partitioning.make_mesh(config.mesh)
  make, *_ = state_lib.create(model, config, derived, mesh)
  got = evaluate.initial_params(config, derived, model)
  assert checkpointing.explain_mismatch(make().params, got) is None
  for a, b in zip(*map(leaves, (make().params, got)), strict=True):
    np.testing.assert_array_equal(a, b)


def leaves(tree):
  import jax
  return [np.asarray(x) for x in jax.tree.leaves(flax_meta.unbox(tree))]


def test_every_entry_says_how_and_on_what_it_was_measured(found):
  for entry in found["results"]:
    assert entry["protocol"] and entry["fingerprint"] and entry["seed"] == 0
    assert entry["evaluator"] == "harmonic_mean" or entry["n"] > 0
  document = {key: found[key] for key in ("run", "results")}
  assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_an_older_checkpoint_and_one_evaluator_can_be_chosen(workdir):
  found = evaluate.evaluate(workdir, evals=["masked_loss"], step=3, say=lambda text: None)
  assert {(e["evaluator"], e["step"]) for e in found["results"]} == {("masked_loss", 3)}


def test_evaluators_of_another_config_can_stand_in(workdir):
  entries = config_lib.from_dict({"family": dict(
      type="knn", every_steps=0, key_split="train", query_split="unseen", label="family",
      features="encoder")})
  found = evaluate.evaluate(workdir, entries=entries, say=lambda text: None)
  assert {e["evaluator"] for e in found["results"]} == {"training", "family"}
  assert set(found["is_right"]) == {f"family/{kind}" for kind in
                                    (evaluate.UNTRAINED, evaluate.TRAINED)}
  accuracy = value_of(found, evaluator="family", metric="accuracy", features=evaluate.TRAINED)
  assert found["is_right"][f"family/{evaluate.TRAINED}"].mean() == accuracy


def test_wrong_names_steps_and_places_are_told(workdir, tmp_path):
  for kwargs, text in (
      (dict(workdir=tmp_path / "no"), "no workdir"),
      (dict(workdir=tmp_path), "no checkpoint"),
      (dict(workdir=workdir, evals=["knn"]), "It has: .*knn_genus"),
      (dict(workdir=workdir, step=5), "It has: 3, 6, 8"),
      (dict(workdir=workdir, data_dir=str(tmp_path)), "--data_dir")):
    with pytest.raises(errors.UserError, match=text):
      evaluate.evaluate(**kwargs)


def test_another_data_set_than_in_training_is_pointed_out(workdir, tmp_path, tiny_data):
  copy = tmp_path / "data"
  shutil.copytree(tiny_data, copy, ignore=shutil.ignore_patterns("columns"))
  summary, = copy.glob("*/*/dataset_summary.json")
  text = json.loads(summary.read_text())
  text["fingerprint"] = "0" * 32
  summary.write_text(json.dumps(text))
  said = []
  evaluate.evaluate(workdir, evals=["knn_genus_kmers"], data_dir=str(copy),
                    say=said.append)
  assert "is not the data set of the training run" in said[0]


@pytest.mark.parametrize("item", ["params", "state", "meta"])
@pytest.mark.parametrize("damage", ["emptied", "removed"])
def test_a_run_with_a_damaged_checkpoint_says_which_and_what_to_do(
    workdir, tmp_path, item, damage):
  from dnajax.training import run
  copy = tmp_path / "run"
  shutil.copytree(workdir, copy)
  if damage == "removed":
    shutil.rmtree(copy / "checkpoints" / "8" / item)
  else:
    for path in (copy / "checkpoints" / "8" / item).rglob("*"):
      if path.is_file():
        path.write_bytes(b"")
  config = config_lib.load_workdir_config(workdir)
  config.total_steps = 9
  with pytest.raises(errors.UserError, match="checkpoints/8.*damaged.*step 6 is taken"):
    run.run(config, copy)
  if item == "state":  # not needed for the encoder
    return
  with pytest.raises(errors.UserError, match="checkpoints/8.*damaged.*step 6 is taken"):
    evaluate.evaluate(copy, say=lambda text: None)


@pytest.mark.slow
def test_a_damaged_checkpoint_is_one_line_and_code_2(workdir, tmp_path):
  copy = tmp_path / "run"
  shutil.copytree(workdir, copy)
  for path in (copy / "checkpoints" / "8" / "params").rglob("*"):
    if path.is_file():
      path.write_bytes(b"")
  done = subprocess.run(
      [sys.executable, "-m", "dnajax.evaluate", f"--workdir={copy}"],
      capture_output=True, text=True, timeout=200)
  assert done.returncode == 2, done.stderr
  assert done.stderr.startswith("error: ") and "Traceback" not in done.stderr
  assert not (copy / "report").exists()
