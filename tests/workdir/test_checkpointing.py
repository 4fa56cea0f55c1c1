import json
import subprocess

import jax
import numpy as np
import pytest

from dnajax.shell import errors
from dnajax.workdir import checkpointing, integrity, load
from tests.workdir import states


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
  """A workdir with steps 4 and 8."""
  workdir = tmp_path_factory.mktemp("saved")
  states.save(workdir, (4, 8))
  return workdir


@pytest.fixture
def workdir(saved, tmp_path):
  """A copy of it that may be damaged."""
  subprocess.run(["cp", "-r", str(saved / "checkpoints"), str(tmp_path)], check=True)
  return tmp_path


def files_of(workdir, item, step=8):
  """Every file of an item that has content."""
  return sorted(path for path in (workdir / f"checkpoints/{step}/{item}").rglob("*")
                if path.is_file() and path.stat().st_size)


def flip(path):
  content = bytearray(path.read_bytes())
  content[len(content) // 2] ^= 1
  path.write_bytes(content)


def test_what_is_saved_comes_back(saved):
  assert checkpointing.saved_steps(saved) == [4, 8] and checkpointing.latest_step(saved) == 8
  jax.tree.map(np.testing.assert_array_equal, states.restore(saved, 4), states.make(4))
  jax.tree.map(np.testing.assert_array_equal, checkpointing.load_params(saved, 8),
               states.make(8).params)
  assert checkpointing.read_meta(saved, 8) == json.loads(json.dumps(states.meta()))


def test_every_file_of_every_item_has_a_sum_that_sha256sum_accepts(saved):
  folder = saved / "checkpoints/8"
  listed = {line.split("  ")[1] for line in
            (folder / integrity.NAME).read_text().splitlines()}
  there = {path.relative_to(folder).as_posix() for path in folder.rglob("*")
           if path.is_file()}
  assert there - listed == {"_CHECKPOINT_METADATA", "commit_success.txt", integrity.NAME}
  subprocess.run(["sha256sum", "--quiet", "-c", integrity.NAME], cwd=folder, check=True)


@pytest.mark.parametrize("item", ["params", "state"])
def test_a_flipped_bit_in_any_file_is_named_and_never_restored(workdir, item):
  for path in files_of(workdir, item):
    whole = path.read_bytes()
    flip(path)
    with pytest.raises(errors.UserError) as error:
      states.restore(workdir, 8)
    name = path.relative_to(workdir / "checkpoints/8").as_posix()
    assert name in str(error.value) and "step 4 is taken" in str(error.value)
    assert "\n" not in str(error.value)
    if item == "params":
      with pytest.raises(errors.UserError, match="is damaged"):
        load.load(workdir)
    path.write_bytes(whole)
  states.restore(workdir, 8)


def test_embedding_does_not_need_the_state_to_be_whole(workdir):
  for path in files_of(workdir, "state"):
    path.unlink()
  assert load.load(workdir).step == 8


@pytest.mark.parametrize("damage", [
    lambda path: path.write_bytes(path.read_bytes()[:-1]),
    lambda path: path.unlink(), lambda path: path.write_bytes(b"")])
@pytest.mark.parametrize("item", ["params", "state", "meta"])
def test_a_truncated_or_removed_file_is_named(workdir, item, damage):
  path = files_of(workdir, item)[0]
  damage(path)
  with pytest.raises(errors.UserError, match=path.name):
    checkpointing.read_meta(workdir, 8)
    states.restore(workdir, 8)


def test_sums_that_are_damaged_or_missing_are_named(workdir):
  path = workdir / "checkpoints/8" / integrity.NAME
  text = path.read_text()
  for wrong in ("", text[:40], text[::-1], "\n".join(
      line for line in text.splitlines() if "  params/" not in line)):
    path.write_text(wrong)
    with pytest.raises(errors.UserError, match=f"damaged.*{integrity.NAME}"):
      states.restore(workdir, 8)
  path.unlink()
  with pytest.raises(errors.UserError, match=f"{integrity.NAME} is missing"):
    load.load(workdir)


def test_a_damaged_newest_checkpoint_moved_away_leaves_the_older_one(workdir):
  flip(files_of(workdir, "params")[0])
  (workdir / "checkpoints/8").rename(workdir / "aside")
  assert load.load(workdir).step == 4


def test_an_interrupted_save_is_no_checkpoint_and_is_cleared_away(workdir):
  """As a kill leaves it: before the sums, or between the sums and the commit."""
  folder = workdir / "checkpoints"
  for step in (9, 10):
    subprocess.run(["cp", "-r", str(folder / "8"),
                    str(folder / f"{step}.orbax-checkpoint-tmp")], check=True)
  (folder / "9.orbax-checkpoint-tmp" / integrity.NAME).unlink()
  assert checkpointing.saved_steps(workdir) == [4, 8] and load.load(workdir).step == 8
  states.save(workdir, (9,))
  assert sorted(path.name for path in folder.iterdir()) == ["4", "8", "9"]
  states.restore(workdir, 9)


def test_sums_that_cannot_be_written_leave_no_checkpoint(tmp_path, monkeypatch):
  states.save(tmp_path, (4,))

  def broken(folder):
    raise OSError("no space left")

  monkeypatch.setattr(integrity, "write", broken)
  with pytest.raises(OSError, match="no space left"):
    states.save(tmp_path, (8,))
  assert checkpointing.saved_steps(tmp_path) == [4]


def test_folders_that_are_no_checkpoints_are_not_listed(workdir):
  for name in ("12", "notes", "7.orbax-checkpoint-tmp"):
    (workdir / "checkpoints" / name).mkdir()
  assert 7 not in checkpointing.saved_steps(workdir)
  (workdir / "checkpoints/12").rmdir()
  assert checkpointing.saved_steps(workdir) == [4, 8]


def test_the_newest_and_the_best_stay(tmp_path):
  values = {2: 0.5, 4: 0.3, 6: float("nan"), 8: 0.9, 10: 0.8, 12: 0.7}
  states.save(tmp_path / "best", values, keep=2, best="dev/loss", values=values)
  assert checkpointing.saved_steps(tmp_path / "best") == [4, 10, 12]
  assert load.load(tmp_path / "best").step == 4
  # A resumed run still knows it.
  states.save(tmp_path / "best", (14, 16), keep=2, best="dev/loss")
  assert checkpointing.saved_steps(tmp_path / "best") == [4, 14, 16]
  states.save(tmp_path / "newest", (2, 4, 6), keep=2)
  assert checkpointing.saved_steps(tmp_path / "newest") == [4, 6]


def test_saving_a_step_again_changes_nothing(tmp_path):
  states.save(tmp_path, (4,))
  before = (tmp_path / "checkpoints/4" / integrity.NAME).read_text()
  states.save(tmp_path, (4,))
  assert (tmp_path / "checkpoints/4" / integrity.NAME).read_text() == before


def test_a_state_of_another_shape_is_no_damage_but_told_by_name(saved):
  with pytest.raises(errors.UserError) as error:
    states.restore(saved, 8, width=5)
  assert "encoder/kernel: model (3, 5), checkpoint (3, 4)" in str(error.value)
  assert "damaged" not in str(error.value)


def test_another_optimizer_is_told_by_name(saved, monkeypatch):
  import optax
  monkeypatch.setattr(optax, "adam", optax.sgd)
  with pytest.raises(errors.UserError, match="does not fit the optimizer") as error:
    states.restore(saved, 8)
  assert "only in the checkpoint optimizer/0/mu/encoder/kernel" in str(error.value)


def test_a_mistake_of_the_code_is_not_told_as_damaged_files(saved, monkeypatch):
  def mistaken(handler):
    raise ValueError("of the code")

  monkeypatch.setattr(checkpointing, "_reader", mistaken)
  with pytest.raises(ValueError, match="of the code"):
    states.restore(saved, 8)
