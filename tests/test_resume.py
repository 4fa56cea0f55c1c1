"""Interrupted and resumed = uninterrupted, bit for bit."""

import json
import os
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import pytest
import tiny

from dnajax.shell import errors
from dnajax.training import run, stopping
from dnajax.workdir import load


def same_params(a, b):
  jax.tree.map(np.testing.assert_array_equal, tiny.params(a), tiny.params(b))


@pytest.fixture(scope="module")
def whole(tmp_path_factory, tiny_data):
  """An uninterrupted run of 8 steps, reporting every 3."""
  workdir = tmp_path_factory.mktemp("whole")
  run.run(tiny.values("barcodemae", tiny_data, log__every_steps=3), workdir)
  return tiny_data, workdir


def of_whole(whole, **overrides):
  return tiny.values("barcodemae", whole[0], **{"log__every_steps": 3, **overrides})


def test_a_run_stopped_between_reports_and_resumed_equals_the_whole(
    whole, tmp_path, monkeypatch):
  # Asked to stop at step 4: neither a report (every 3) nor a checkpoint is due.
  monkeypatch.setattr(stopping.Stopping, "must_stop", lambda self, step: step == 4)
  assert run.run(of_whole(whole), tmp_path) == (4, 8)
  monkeypatch.undo()
  assert run.run(of_whole(whole), tmp_path) == (8, 8)
  assert tiny.recorded(tmp_path) == tiny.recorded(whole[1])
  same_params(tmp_path, whole[1])


def test_balanced_batches_go_on_where_they_stopped(tiny_data, tmp_path, monkeypatch):
  values = tiny.values("barcode_id", tiny_data, log__every_steps=3)
  assert values["balance"]["label"] == "genus"
  run.run(values, tmp_path / "whole")
  monkeypatch.setattr(stopping.Stopping, "must_stop", lambda self, step: step == 4)
  assert run.run(values, tmp_path / "two") == (4, 8)
  monkeypatch.undo()
  assert run.run(values, tmp_path / "two") == (8, 8)
  assert tiny.recorded(tmp_path / "two") == tiny.recorded(tmp_path / "whole")
  same_params(tmp_path / "two", tmp_path / "whole")


def test_what_is_kept_of_the_training_data_changes_no_update_and_stays_exact(
    whole, tmp_path, monkeypatch):
  short = dict(has_evals=False, checkpoint__best="")
  monkeypatch.setattr(stopping.Stopping, "must_stop", lambda self, step: step == 4)
  run.run(of_whole(whole, checkpoint__centre_records=0, **short), tmp_path)
  monkeypatch.undo()
  assert load.load(tmp_path).meta["centre"] is None
  run.run(of_whole(whole, **short), tmp_path)
  kept = load.load(whole[1]).meta["centre"]
  assert load.load(tmp_path).meta["centre"] == kept and len(kept["mean"]) == 16
  same_params(tmp_path, whole[1])


def test_a_finished_run_is_left_alone(whole):
  before = (whole[1] / "metrics.jsonl").read_text()
  assert run.run(of_whole(whole), whole[1]) == (8, 8)
  assert (whole[1] / "metrics.jsonl").read_text() == before


@pytest.mark.parametrize("key,value", [("seed", 1), ("batch_size", 8),
                                       ("masking.selection.ratio", 0.4),
                                       ("data.split", "train")])
def test_resuming_with_other_science_is_refused_with_both_values(whole, key, value):
  workdir = whole[1]
  before = (workdir / "config.json").read_text()
  with pytest.raises(errors.UserError) as error:
    run.run(of_whole(whole, **{key.replace(".", "__"): value}), workdir)
  assert key in str(error.value) and str(value) in str(error.value)
  assert (workdir / "config.json").read_text() == before


def test_what_decides_nothing_may_change_at_resumption(whole):
  run.run(of_whole(whole, encoder__scan_unroll=2, checkpoint__keep=2,
                   evals__knn_genus__vote="distance"), whole[1])


def test_init_from_takes_the_parameters_of_another_run(whole, tmp_path):
  values = of_whole(whole, init_from__workdir=str(whole[1]), total_steps=2, seed=5,
                    optimizer__learning_rate=1e-12)
  run.run(values, tmp_path)
  jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=1e-6),
               tiny.params(whole[1]), tiny.params(tmp_path))


@pytest.mark.parametrize("objective", ["masked_lm", "causal_lm"])
def test_any_objective_takes_the_encoder_of_another(whole, tmp_path, objective):
  loss = "next_token" if objective == "causal_lm" else "masked_prediction"
  values = of_whole(
      whole, objective__name=objective, losses__masked__name=loss,
      masking__corruption__name="replace", has_evals=False, total_steps=2,
      init_from__workdir=str(whole[1]), init_from__take="encoder",
      optimizer__learning_rate=1e-12, encoder__width=64)  # sizes are those of the encoder
  run.run(values, tmp_path)
  jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=1e-6),
               tiny.params(whole[1])["encoder"], tiny.params(tmp_path)["encoder"])


def test_parameters_that_do_not_fit_are_named(whole, tmp_path):
  values = of_whole(whole, init_from__workdir=str(whole[1]), objective__decoder_width=4)
  with pytest.raises(errors.UserError, match="project/kernel"):
    run.run(values, tmp_path)


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_checkpoint(whole, tmp_path):
  values = of_whole(
      whole, optimizer__learning_rate=1e38, optimizer__clip_norm=0.0,
      optimizer__schedule__name="constant", checkpoint__every_steps=1,
      optimizer__schedule__warmup_steps=0, log__every_steps=2)
  with pytest.raises(errors.UserError, match="stopped being finite in steps"):
    run.run(values, tmp_path)
  assert all(np.isfinite(x).all() for x in jax.tree.leaves(tiny.params(tmp_path)))


def test_a_checkpoint_says_what_it_is(whole):
  trained = load.load(whole[1])
  assert trained.step == 8 and trained.tokenizer.vocabulary.k == 3
  meta = trained.meta
  assert meta["data"]["fingerprint"] and meta["versions"]["jax"] and meta["format"] == 2
  assert meta["config"]["masking"]["selection"]["name"] == "uniform"


@pytest.mark.slow
def test_a_killed_process_loses_nothing_but_time(whole, tmp_path):
  values = of_whole(whole)
  script = ("import json, sys; from dnajax.training import run; "
            "run.run(json.loads(sys.argv[1]), sys.argv[2])")
  process = subprocess.Popen(
      [sys.executable, "-c", script, json.dumps(values), str(tmp_path)], env=os.environ)
  deadline = time.monotonic() + 120
  while not list((tmp_path / "checkpoints").glob("3*")):  # also half written
    assert process.poll() is None and time.monotonic() < deadline
    time.sleep(0.01)
  process.send_signal(signal.SIGKILL)
  process.wait()
  with open(tmp_path / "metrics.jsonl", "a") as file:
    file.write('{"step": 4, "trai')  # the kill came in the middle of a line
  assert run.run(values, tmp_path) == (8, 8)
  assert tiny.recorded(tmp_path) == tiny.recorded(whole[1])
  same_params(tmp_path, whole[1])
  for line in (tmp_path / "metrics.jsonl").read_text().splitlines():
    json.loads(line)
