"""measure.evaluate: what it says equals what training said, and wrong workdirs."""

import json
import shutil

import jax
import numpy as np
import pytest
import tiny
from flax.core import meta as flax_meta

from dnajax.config import plan as plan_lib
from dnajax.config import registry
from dnajax.data import records, summary
from dnajax.evaluators import base
from dnajax.results import measure
from dnajax.shell import errors
from dnajax.training import run
from dnajax.workdir import checkpointing, load, metrics


def quiet(text):
  del text


@pytest.fixture(scope="module")
def workdir(tiny_data, tmp_path_factory):
  """A finished run with evaluations at 0, 4 and 8, checkpoints at 3, 6 and 8."""
  path = tmp_path_factory.mktemp("runs") / "tiny"
  run.run(tiny.values("barcodemae", tiny_data), path)
  return path


@pytest.fixture(scope="module")
def found(workdir):
  return measure.evaluate(workdir, say=quiet)


def value_of(found, **wanted):
  value, = [entry["value"] for entry in found["results"]
            if wanted.items() <= entry.items()]
  return value


def test_untrained_and_trained_columns_are_what_training_reported(workdir, found):
  rows = metrics.read_rows(workdir / "metrics.jsonl")
  for features, step in ((base.UNTRAINED, 0), (base.TRAINED, 8)):
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


def test_initial_params_equal_those_the_run_started_from(workdir, tiny_data):
  plan = plan_lib.make(tiny.values("barcodemae", tiny_data))
  made = plan.make_state().params
  got = plan_lib.of_meta(load.load(workdir).meta).initial_params()
  assert checkpointing.explain_mismatch(made, got) is None
  for a, b in zip(*(jax.tree.leaves(flax_meta.unbox(tree)) for tree in (made, got)),
                  strict=True):
    np.testing.assert_array_equal(a, b)


def test_every_entry_says_how_and_on_what_it_was_measured(found):
  for entry in found["results"]:
    assert entry["protocol"] and entry["fingerprint"] and entry["seed"] == 0
    assert entry["evaluator"] == "harmonic_mean" or entry["n"] > 0
    assert entry["unit"] in ("", "share", "nats", "count", "seconds", "per_second")
  assert any(entry["is_bar"] and entry["evaluator"] == "knn_genus" for entry in found["results"])
  document = {key: found[key] for key in ("run", "results")}
  assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_an_older_checkpoint_and_one_evaluator_can_be_chosen(workdir):
  found = measure.evaluate(workdir, evals=["masked_loss"], step=3, say=quiet)
  assert {(e["evaluator"], e["step"]) for e in found["results"]} == {("masked_loss", 3)}


def test_a_harmonic_mean_alone_finds_what_it_is_made_of(workdir, found):
  alone = measure.evaluate(workdir, evals=["harmonic_mean"], say=quiet)
  assert {entry["evaluator"] for entry in alone["results"]} == {"harmonic_mean"}
  for features in base.ENCODERS:
    wanted = dict(evaluator="harmonic_mean", metric="harmonic_mean", features=features)
    assert value_of(alone, **wanted) == pytest.approx(value_of(found, **wanted), abs=1e-6)


def test_evaluators_of_another_config_can_stand_in(workdir):
  entries = {"family": dict(name="knn", key_split="train", query_split="unseen",
                            label="family")}
  found = measure.evaluate(workdir, entries=entries, say=quiet)
  assert {e["evaluator"] for e in found["results"]} == {"training", "family"}
  assert set(found["is_right"]) == {f"family/{kind}" for kind in base.ENCODERS}
  accuracy = value_of(found, evaluator="family", metric="accuracy", features=base.TRAINED)
  assert found["is_right"][f"family/{base.TRAINED}"].mean() == accuracy
  with pytest.raises(errors.UserError, match="evals.family.label"):
    measure.evaluate(workdir, entries={"family": dict(name="knn", key_split="train",
                                                      query_split="unseen")}, say=quiet)


def test_an_evaluator_that_is_no_more_is_left_out_unless_it_is_asked_for(
    workdir, monkeypatch):
  monkeypatch.delitem(registry.of("evaluator").entries, "zero_shot_clustering")
  said = []
  found = measure.evaluate(workdir, evals=["knn_genus"], say=said.append)
  assert {e["evaluator"] for e in found["results"]} == {"knn_genus"}
  with pytest.raises(errors.UserError, match="zero_shot_clustering"):
    measure.evaluate(workdir, evals=["clusters_species"], say=quiet)
  everything = measure.evaluate(workdir, say=said.append)
  assert any("left out clusters_species" in text for text in said)
  assert "probe_species" in {e["evaluator"] for e in everything["results"]}


def test_wrong_names_steps_and_places_are_told(workdir, tmp_path):
  for kwargs, text in (
      (dict(workdir=tmp_path / "no"), "no workdir"),
      (dict(workdir=tmp_path), "no checkpoint"),
      (dict(workdir=workdir, evals=["knn"]), "It has: .*knn_genus"),
      (dict(workdir=workdir, step=5), "It has: 3, 6, 8"),
      (dict(workdir=workdir, data_dir=str(tmp_path)), "--data_dir")):
    with pytest.raises(errors.UserError, match=text):
      measure.evaluate(**kwargs)


def test_another_data_set_than_in_training_is_pointed_out(workdir, tmp_path, tiny_data):
  copy = tmp_path / "data"
  shutil.copytree(tiny_data, copy, ignore=shutil.ignore_patterns("columns"))
  directory = records.find(copy, "simulated_barcodes")
  summary.write(directory, summary.read(directory) | {
      "fingerprint": "0" * 32, "cleaning": {"trim": "otherwise"}})
  said = []
  measure.evaluate(workdir, evals=["knn_genus_kmers"], data_dir=str(copy), say=said.append)
  assert "is not the data set of the training run" in said[0]
  assert "cleaned otherwise" in said[1] and "'trim': 'otherwise'" in said[1]


@pytest.mark.parametrize("item", ["params", "meta"])
@pytest.mark.parametrize("damage", ["emptied", "removed"])
def test_a_run_with_a_damaged_checkpoint_says_which_and_what_to_do(
    workdir, tmp_path, item, damage):
  copy = tmp_path / "run"
  shutil.copytree(workdir, copy)
  if damage == "removed":
    shutil.rmtree(copy / "checkpoints" / "8" / item)
  else:
    for path in (copy / "checkpoints" / "8" / item).rglob("*"):
      if path.is_file():
        path.write_bytes(b"")
  with pytest.raises(errors.UserError, match="checkpoints/8.*step 6 is taken"):
    measure.evaluate(copy, say=quiet)


@pytest.mark.slow
def test_a_damaged_checkpoint_is_one_line_and_code_2(workdir, tmp_path):
  copy = tmp_path / "run"
  shutil.copytree(workdir, copy)
  for path in (copy / "checkpoints" / "8" / "params").rglob("*"):
    if path.is_file():
      path.write_bytes(b"")
  code, _, said = tiny.call("dnajax.evaluate", f"--workdir={copy}")
  assert code == 2, said
  assert said.startswith("error: ") and "Traceback" not in said
  assert not (copy / "report").exists()
