"""Runs that differ in the seed only: what is averaged, and what is not."""

import made_up
import numpy as np
import pytest

from dnajax.results import report, seeds, several_seeds
from dnajax.shell import errors


def test_seeds_of_one_setting_become_a_mean_and_a_spread():
  found = [made_up.found(f"mae-{seed}", accuracy=accuracy)
           for seed, accuracy in enumerate((0.5, 0.6, 0.7))] + [made_up.found("other")]
  for seed, one in enumerate(found):
    one["run"] |= {"setting": "s" if seed < 3 else "t", "seed": seed}
    for entry in one["results"]:
      entry["seed"] = seed
  merged = seeds.merge(found)
  trained, = [entry for entry in merged if entry["metric"] == "accuracy"
              and entry["features"] == "trained encoder" and entry["run"] != "other"]
  assert trained["run"] == "mae (3 seeds)" and trained["seeds"] == [0, 1, 2]
  assert trained["values"] == [0.5, 0.6, 0.7]
  np.testing.assert_allclose([trained["value"], trained["spread"]], [0.6, 0.1])
  text = report.markdown(found)
  assert "| 60.0 ± 10 % |" in text and "| not finite |" in text
  assert [e for e in merged if e["run"] == "other"] == found[3]["results"]


def test_runs_of_another_setting_step_or_of_the_same_seed_are_not_averaged():
  found = [made_up.found("a"), made_up.found("b", step=4), made_up.found("c"),
           made_up.found("d", fingerprint="e")]
  for one, seed in zip(found, (0, 1, 0, 2), strict=True):
    one["run"] |= {"setting": "s", "seed": seed}
  assert {entry["run"] for entry in seeds.merge(found)} == {"a", "b", "c", "d"}


def test_runs_each_at_their_best_step_are_averaged():
  found = [made_up.found(f"r-{step}", step=step, seed=step, setting="s", is_best=True)
           for step in (4, 8)]
  trained, = [entry for entry in seeds.merge(found) if entry["metric"] == "num_keys"]
  assert trained["step"] == "4–8" and trained["seeds"] == [0, 0]


def test_the_setting_is_everything_but_the_seed_and_what_changes_no_result():
  config = {"seed": 0, "data": {"dir": "here", "name": "n"}, "evals": {}, "total_steps": 8,
            "encoder": {"name": "transformer", "width": 8, "remat": "none"},
            "init_from": {"workdir": "a", "take": "encoder"}}
  same = config | {"seed": 3, "data": {"dir": "there", "name": "n"}, "evals": {"a": 1},
                   "encoder": {"name": "transformer", "width": 8, "remat": "full"}}
  assert seeds.setting(same) == seeds.setting(config)
  for other in ({"total_steps": 9}, {"data": {"dir": "here", "name": "m"}},
                {"init_from": {"workdir": "a", "take": "shape"}},
                {"encoder": {"name": "transformer", "width": 9, "remat": "none"}}):
    assert seeds.setting(config | other) != seeds.setting(config)


def test_workdirs_and_names_of_several_seeds(tmp_path):
  assert seeds.workdirs(tmp_path) == [tmp_path]
  for seed in (10, 2):
    (tmp_path / f"seed_{seed}").mkdir()
  folders = seeds.workdirs(tmp_path)
  assert [folder.name for folder in folders] == ["seed_2", "seed_10"]
  assert seeds.run_name(folders[0]) == f"{tmp_path.name}/seed_2"
  assert seeds.run_name(tmp_path) == tmp_path.name


@pytest.mark.parametrize("texts, says", [
    (["0", "x"], "whole numbers"), (["1", "1"], "each seed once"), (["-1"], "none below 0")])
def test_wrong_seeds_are_told(texts, says):
  assert several_seeds.parse(["0", "3"]) == [0, 3]
  with pytest.raises(errors.UserError, match=says):
    several_seeds.parse(texts)


def test_one_run_after_the_other_and_one_report(monkeypatch, tmp_path):
  done, written = [], []
  monkeypatch.setattr(several_seeds.run, "run", lambda values, path: done.append(
      (values["seed"], path.name)) or (8, values["total_steps"]))
  monkeypatch.setattr(several_seeds.measure, "evaluate_all", lambda path, say: [path])
  monkeypatch.setattr(several_seeds.report, "write_evaluated",
                      lambda path, found, say: written.append(found))
  say = lambda text: None
  assert several_seeds.train({"seed": 9, "total_steps": 8}, tmp_path, [0, 3], say=say)
  assert done == [(0, "seed_0"), (3, "seed_3")] and written == [[tmp_path]]
  # A run that was asked to stop ends it all, without a report.
  assert not several_seeds.train({"seed": 9, "total_steps": 9}, tmp_path, [0, 3], say=say)
  assert len(done) == 3 and len(written) == 1
