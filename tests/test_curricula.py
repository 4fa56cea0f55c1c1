"""Curricula as whole runs: they switch, and a killed run goes on identically."""

import jax
import numpy as np
import pytest
import tiny

from dnajax.training import run, stopping
from dnajax.workdir import checkpointing, metrics


def stop_at(monkeypatch, step):
  monkeypatch.setattr(stopping.Stopping, "must_stop", lambda self, now: now == step)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, tiny_data):
  config = tiny.cm_gems_values(tiny_data)
  workdir = tmp_path_factory.mktemp("cm_gems")
  assert run.run(config, workdir) == (8, 8)
  return config, workdir


def test_cm_gems_switches_in_a_run_and_says_so(whole):
  _, workdir = whole
  # Evaluations at 0, 2, 4, 6, 8: any change is below the threshold.
  assert tiny.switch_steps(workdir)[0] == (0, -1)
  assert {step: at for step, at in tiny.switch_steps(workdir) if step > 2} == dict.fromkeys(
      range(3, 9), 2.0)
  shares = {row["step"]: row["masking/hard_share"]
            for row in metrics.read_rows(workdir / "metrics.jsonl")
            if "masking/hard_share" in row}
  assert shares == {step: float(step > 2) for step in range(1, 9)}
  log = (workdir / "log.txt").read_text()
  assert "step 0: masking by gene_mask\n" in log
  assert "step 2: masking by global_pmi, switched at step 2\n" in log
  assert log.count("masking by") == 2


@pytest.mark.parametrize("step", [1, 3])
def test_a_run_stopped_before_or_behind_the_switch_resumes_to_the_same_history(
    whole, tmp_path, monkeypatch, step):
  config, whole_dir = whole
  stop_at(monkeypatch, step)
  assert run.run(config, tmp_path) == (step, 8)
  monkeypatch.undo()
  assert run.run(config, tmp_path) == (8, 8)
  assert tiny.recorded(tmp_path) == tiny.recorded(whole_dir)
  jax.tree.map(np.testing.assert_array_equal, tiny.params(tmp_path), tiny.params(whole_dir))


def test_stage_and_history_are_in_the_checkpoint(whole, monkeypatch, tmp_path):
  config, workdir = whole
  restored = {}
  plain = checkpointing.Checkpointer.restore

  def restore(self, step, *args, **kwargs):
    restored[step] = plain(self, step, *args, **kwargs)
    return restored[step]

  monkeypatch.setattr(checkpointing.Checkpointer, "restore", restore)
  run.run(config, workdir)
  progress = restored[8].progress
  assert int(progress.switch_step) == 2 and int(progress.num_evaluations) == 5
  assert list(np.asarray(progress.steps)[-5:]) == [0, 2, 4, 6, 8]
  recorded = [row["masked_loss/perplexity"]
              for row in metrics.read_rows(workdir / "metrics.jsonl")
              if "masked_loss/perplexity" in row]
  np.testing.assert_array_equal(np.asarray(progress.perplexities)[-5:],
                                np.float32(recorded))


@pytest.mark.parametrize("name", ["randommask", "cm_step"])
def test_other_schedules_follow_the_step_and_resume(name, tiny_data, tmp_path, monkeypatch):
  config = tiny.values(name, tiny_data, data__name="simulated_barcodes")
  run.run(config, tmp_path / "whole")
  stop_at(monkeypatch, 5)
  run.run(config, tmp_path / "cut")
  monkeypatch.undo()
  run.run(config, tmp_path / "cut")
  assert tiny.recorded(tmp_path / "cut") == tiny.recorded(tmp_path / "whole")
  jax.tree.map(np.testing.assert_array_equal, tiny.params(tmp_path / "cut"),
               tiny.params(tmp_path / "whole"))
  log = (tmp_path / "whole" / "log.txt").read_text()
  if name == "randommask":
    assert "phase 3 of 3, windows of 6, 8, 10, 12, 14 tokens" in log
    phases = [row["curriculum/phase"] for row in metrics.read_rows(
        tmp_path / "whole" / "metrics.jsonl") if "curriculum/phase" in row]
    assert phases == sorted(phases) and set(phases) == {1, 2, 3}
  else:
    assert "global_pmi in 10% of the updates, else gene_mask" in log


def test_a_run_is_one_compilation_of_the_step_whatever_the_stage(
    tiny_data, tmp_path, monkeypatch):
  from dnajax.training import step as step_lib
  steps = []
  plain = step_lib.jit_train_step
  monkeypatch.setattr(step_lib, "jit_train_step",
                      lambda *args, **kwargs: steps.append(plain(*args, **kwargs))
                      or steps[-1])
  run.run(tiny.cm_gems_values(tiny_data), tmp_path)
  assert len(steps) == 1 and steps[0]._cache_size() == 1


def test_resuming_with_another_pmi_table_is_refused(whole, tmp_path, tiny_data):
  from dnajax.shell import errors
  _, workdir = whole
  source = next(tiny_data.glob("simulated_barcodes/*/npmi_k3.npz"))
  arrays = dict(np.load(source))
  arrays["rank"] = arrays["rank"][::-1]
  np.savez(tmp_path / "other.npz", **arrays)
  config = tiny.cm_gems_values(tiny_data, masking__pmi_table=str(tmp_path / "other.npz"))
  with pytest.raises(errors.UserError, match="PMI table fingerprint"):
    run.run(config, workdir)
