"""Faults during a training, and what lies in its workdir afterwards."""

import json
import shutil
import time

import jax
import numpy as np
import pytest

from dnajax.data import columns, records, summary
from dnajax.evaluators import context as context_lib
from dnajax.shell import errors, failures
from dnajax.training import run, stopping
from dnajax.workdir import checkpointing, metrics, resume
from tests import tiny
from tests.faults import limits
from tests.workdir import states


@pytest.fixture(scope="module")
def finished(tiny_data, tmp_path_factory):
  """A finished run without evaluations."""
  workdir = tmp_path_factory.mktemp("finished") / "run"
  run.run(values(tiny_data), workdir)
  return workdir


def values(data, **overrides):
  return tiny.values("barcodemae", data, has_evals=False, checkpoint__best="",
                     log__every_steps=1, checkpoint__every_steps=2, total_steps=4, **overrides)


def flip(workdir, step, item="params"):
  path = max((workdir / f"checkpoints/{step}/{item}").rglob("*"),
             key=lambda path: path.stat().st_size * path.is_file())
  content = bytearray(path.read_bytes())
  content[len(content) // 2] ^= 1
  path.write_bytes(content)
  return path.name


def test_a_damaged_newest_checkpoint_is_moved_away_loudly_and_the_run_ends_the_same(
    finished, tiny_data, tmp_path, capsys):
  workdir = tmp_path / "run"
  shutil.copytree(finished, workdir)
  name = flip(workdir, 4)
  assert run.run(values(tiny_data), workdir) == (4, 4)
  loud, = (line for line in capsys.readouterr().out.splitlines() if "WARNING" in line)
  assert name in loud and "damaged/4" in loud and "goes on from step 2" in loud
  assert loud in (workdir / "log.txt").read_text()
  assert tiny.recorded(workdir) == tiny.recorded(finished)
  jax.tree.map(np.testing.assert_array_equal, tiny.params(workdir), tiny.params(finished))
  assert sorted(path.name for path in (workdir / "checkpoints").iterdir()) == ["2", "4"]
  assert (workdir / "damaged/4/params").is_dir()


def test_all_damaged_ones_behind_a_whole_one_are_moved_away(tmp_path):
  states.save(tmp_path, (2, 4, 6, 8))
  names = [flip(tmp_path, 4, "params"), flip(tmp_path, 8, "meta"), flip(tmp_path, 6, "state")]
  step, lines = resume.find_step(tmp_path)
  assert step == 2 and len(lines) == 3
  assert all(any(name in line for line in lines) for name in names)
  assert resume.find_step(tmp_path) == (2, [])
  assert sorted(path.name for path in (tmp_path / "damaged").iterdir()) == ["4", "6", "8"]


def test_a_run_does_not_begin_anew_where_all_checkpoints_are_damaged(tmp_path):
  states.save(tmp_path, (4, 8))
  names = flip(tmp_path, 4), flip(tmp_path, 8)
  with pytest.raises(errors.UserError, match="No checkpoint is whole") as error:
    resume.find_step(tmp_path)
  assert all(name in str(error.value) for name in names) and "\n" not in str(error.value)
  assert checkpointing.saved_steps(tmp_path) == [4, 8]


@pytest.mark.parametrize("meta", [{}, {"format": 2}, {"format": 2, "config": {}}, [], None, 3])
def test_a_meta_that_dnajax_has_not_written_is_refused(tmp_path, meta):
  states.save(tmp_path, (4,), meta_item={"anything": 1})
  path = tmp_path / "checkpoints/4/meta/metadata"
  path.write_text(json.dumps(meta))
  for sums in (True, False):  # with sums that fit it, and without
    if sums:
      from dnajax.workdir import integrity
      integrity.write(path.parent.parent)
    else:
      (path.parent.parent / integrity.NAME).unlink()
    with pytest.raises(errors.UserError) as error:
      checkpointing.read_meta(tmp_path, 4)
    assert "\n" not in str(error.value)


def test_a_damaged_line_of_the_record_is_named_but_not_a_last_one_cut_off(tmp_path):
  path = tmp_path / "metrics.jsonl"
  path.write_bytes(b'{"step": 1}\n{"step": 2}\n\xff\xfe{"st')
  assert [row["step"] for row in metrics.read_rows(path)] == [1, 2]
  for wrong in (b"\xff\xfe", b"[1]", b'{"stop": 1}', b'{"step": "x"}', b"{"):
    path.write_bytes(b'{"step": 1}\n' + wrong + b'\n{"step": 3}\n')
    with pytest.raises(errors.UserError, match="metrics.jsonl, line 2, is damaged"):
      metrics.read_rows(path)


def test_stopped_before_the_first_update_it_does_not_say_that_it_has_saved(
    tiny_data, tmp_path, monkeypatch, capsys):
  monkeypatch.setattr(stopping.Stopping, "must_stop", lambda self, step: True)
  assert run.run(values(tiny_data), tmp_path) == (0, 4)
  assert "Stopped at step 0 as asked (SIGTERM); nothing to save" in capsys.readouterr().out
  assert checkpointing.saved_steps(tmp_path) == []


def test_a_disk_that_is_full_while_training_leaves_the_last_checkpoint(
    tiny_data, tmp_path, monkeypatch):
  full = limits.file_size(3_000)

  def fill_up(self, step):
    if step == 3:
      while checkpointing.saved_steps(tmp_path) != [2]:
        time.sleep(0.01)
      full.__enter__()
    return False

  monkeypatch.setattr(stopping.Stopping, "must_stop", fill_up)
  try:
    with pytest.raises(Exception) as error:
      run.run(values(tiny_data), tmp_path)
  finally:
    full.__exit__(None, None, None)
  assert str(tmp_path) in str(failures.explain(error.value)), repr(error.value)
  assert checkpointing.saved_steps(tmp_path) == [2]
  monkeypatch.undo()
  assert run.run(values(tiny_data), tmp_path) == (4, 4)


def test_a_workdir_that_vanishes_is_told_in_one_line(tiny_data, tmp_path, monkeypatch):
  def vanish(self, step):
    if step == 3:
      shutil.rmtree(tmp_path / "run")
    return False

  monkeypatch.setattr(stopping.Stopping, "must_stop", vanish)
  with pytest.raises(Exception) as error:
    run.run(values(tiny_data), tmp_path / "run")
  assert str(tmp_path / "run") in str(failures.explain(error.value)), repr(error.value)


@pytest.fixture
def copied_data(tiny_data, tmp_path):
  original = records.find(tiny_data, "simulated_barcodes")
  copy = tmp_path / "data/simulated_barcodes/1.0.0"
  shutil.copytree(original, copy, ignore=shutil.ignore_patterns("columns"))
  columns.open_columns.cache_clear()
  yield copy
  columns.open_columns.cache_clear()


def test_data_prepared_again_during_a_run_are_refused(copied_data):
  split = records.open_split(copied_data, "train")
  context = context_lib.Context(model=None, data_directory=copied_data,
                                fingerprint=split.fingerprint)
  assert context.split("valid").num_records
  summary.write(copied_data, {**summary.read(copied_data), "fingerprint": "other" * 8})
  with pytest.raises(errors.UserError, match="has been prepared again since this run began"):
    context.split("valid")
  with pytest.raises(errors.UserError, match="has been prepared again"):
    split.open()                              # not opened before


def test_splits_that_evaluators_read_are_opened_at_the_start(copied_data, tmp_path):
  path = next(copied_data.glob("*-unseen.array_record*"))
  path.write_bytes(path.read_bytes()[:-50])
  wanted = tiny.values("barcodemae", tmp_path / "data", total_steps=2,
                       evals__masked_loss__every_steps=0, evals__knn_genus__every_steps=0)
  with pytest.raises(errors.UserError, match="split 'unseen', is damaged"):
    run.run(wanted, tmp_path / "run")
  assert not (tmp_path / "run/metrics.jsonl").read_text()
