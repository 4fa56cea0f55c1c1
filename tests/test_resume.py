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

from dnajax import checkpointing, errors
from dnajax import config as config_lib
from dnajax.training import metrics, run

ONE_DEVICE = dict(mesh__data=-1)


def losses(workdir):
  """Everything recorded except times and speeds: [(step, name, value)]."""
  return sorted(
      (row["step"], name, value)
      for row in metrics.read_rows(workdir / "metrics.jsonl")
      for name, value in row.items()
      if name not in ("step", "time") and not name.startswith("speed/"))


def same_params(a, b):
  (step_a, a, _), (step_b, b, _) = (checkpointing.load_params(d) for d in (a, b))
  assert step_a == step_b
  jax.tree.map(np.testing.assert_array_equal, a, b)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, tiny_data):
  """An uninterrupted run of 8 steps, reporting every 3."""
  from configs import barcodemae
  config = barcodemae.get_config("tiny")
  config.data.dir = str(tiny_data)
  config.log.every_steps = 3
  workdir = tmp_path_factory.mktemp("whole")
  run.run(config, workdir)
  return config, workdir


def test_a_run_stopped_between_reports_and_resumed_equals_the_whole(
    whole, tmp_path, monkeypatch):
  config, whole_dir = whole
  # Asked to stop at step 4: neither a report (every 3) nor a checkpoint is due.
  monkeypatch.setattr(run.Events, "must_stop", lambda self, step: step == 4)
  assert run.run(config, tmp_path) == 4
  monkeypatch.undo()
  assert run.run(config, tmp_path) == 8
  assert losses(tmp_path) == losses(whole_dir)
  same_params(tmp_path, whole_dir)


def test_a_finished_run_is_left_alone(whole):
  config, workdir = whole
  before = (workdir / "metrics.jsonl").read_text()
  assert run.run(config, workdir) == 8
  assert (workdir / "metrics.jsonl").read_text() == before


@pytest.mark.parametrize("key,value", [("seed", 1), ("batch_size", 8),
                                       ("masking.ratio", 0.4),
                                       ("data.split", "train")])
def test_resuming_with_other_science_is_refused_with_both_values(
    whole, key, value):
  config, workdir = whole
  other = config.copy_and_resolve_references()
  other.update_from_flattened_dict({key: value})
  before = (workdir / "config.json").read_text()
  with pytest.raises(errors.UserError) as error:
    run.run(other, workdir)
  assert key in str(error.value) and str(value) in str(error.value)
  assert (workdir / "config.json").read_text() == before


def test_another_model_is_refused_naming_the_parameters(whole):
  config, workdir = whole
  _, params, meta = checkpointing.load_params(workdir)
  assert checkpointing.explain_mismatch(params, params) is None
  other = {**params, "extra": np.zeros(2)}
  other["project"] = {"kernel": np.zeros((1, 1))}
  text = checkpointing.explain_mismatch(other, params)
  assert "only in the model       extra" in text
  assert "only in the checkpoint  project/bias" in text
  assert "project/kernel: model (1, 1), checkpoint (16, 8)" in text
  assert meta["vocabulary"] == {"k": 3, "n_policy": "unk", "add_cls": False}
  assert meta["data"]["fingerprint"] and meta["versions"]["jax"]


def test_init_from_takes_the_parameters_of_another_run(whole, tmp_path):
  config, workdir = whole
  other = config.copy_and_resolve_references()
  other.update_from_flattened_dict(
      {"init_from": str(workdir), "total_steps": 2, "seed": 5,
       "optimizer.learning_rate": 1e-12})
  run.run(other, tmp_path)
  (_, a, _), (_, b, _) = (checkpointing.load_params(d) for d in (workdir, tmp_path))
  jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=1e-6), a, b)


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_checkpoint(
    whole, tmp_path):
  config, _ = whole
  bad = config.copy_and_resolve_references()
  bad.update_from_flattened_dict({
      "optimizer.learning_rate": 1e38, "optimizer.clip_norm": 0.0,
      "optimizer.schedule": "constant", "checkpoint.every_steps": 1,
      "optimizer.warmup_steps": 0, "log.every_steps": 2})
  with pytest.raises(errors.UserError, match="stopped being finite in steps"):
    run.run(bad, tmp_path)
  _, params, _ = checkpointing.load_params(tmp_path)
  assert all(np.isfinite(x).all() for x in jax.tree.leaves(params))


def test_workdirs_without_checkpoints_are_named(tmp_path, whole):
  with pytest.raises(errors.UserError, match="no checkpoint"):
    checkpointing.load_params(tmp_path)
  with pytest.raises(errors.UserError, match="no checkpoint of step 99.*It has"):
    checkpointing.load_params(whole[1], step=99)


def command(config, workdir):
  script = ("import json, sys; from dnajax import config; "
            "from dnajax.training import run; "
            "run.run(config.from_dict(json.loads(sys.argv[1])), sys.argv[2])")
  return [sys.executable, "-c", script, config_lib.to_json(config), str(workdir)]


@pytest.mark.slow
def test_a_killed_process_loses_nothing_but_time(whole, tmp_path):
  config, whole_dir = whole
  config = config.copy_and_resolve_references()
  process = subprocess.Popen(command(config, tmp_path), env=os.environ)
  deadline = time.monotonic() + 120
  while not list((tmp_path / "checkpoints").glob("3*")):  # also half written
    assert process.poll() is None and time.monotonic() < deadline
    time.sleep(0.01)
  process.send_signal(signal.SIGKILL)
  process.wait()
  with open(tmp_path / "metrics.jsonl", "a") as file:
    file.write('{"step": 4, "trai')  # the kill came in the middle of a line
  assert run.run(config, tmp_path) == 8
  assert losses(tmp_path) == losses(whole_dir)
  same_params(tmp_path, whole_dir)
  for line in (tmp_path / "metrics.jsonl").read_text().splitlines():
    json.loads(line)
