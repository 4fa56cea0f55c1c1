import os
import stat

import pytest

from dnajax.data import space
from tests.faults import limits


@pytest.fixture(autouse=True)
def nothing_remembered():
  space._own_folder.cache_clear()


def test_columns_lie_in_a_folder_that_is_private_and_found_again(tmp_path):
  folder = space._own_folder(tmp_path)
  assert stat.S_IMODE(folder.stat().st_mode) == 0o700
  space._own_folder.cache_clear()
  assert space._own_folder(tmp_path) == folder


@pytest.mark.parametrize("prepare", [
    lambda path: (path.mkdir(), path.chmod(0o777)),
    lambda path: path.symlink_to(path.parent), lambda path: path.write_text("")])
def test_what_somebody_else_has_put_there_is_not_used(tmp_path, prepare):
  predictable = tmp_path / f"dnajax-columns-{os.getuid()}"
  prepare(predictable)
  folder = space._own_folder(tmp_path)
  assert folder != predictable and stat.S_IMODE(folder.lstat().st_mode) == 0o700


def test_room_is_taken_before_anything_is_written(tmp_path):
  assert space.reserve(tmp_path / "a", 5_000)
  assert os.stat(tmp_path / "a").st_blocks * 512 >= 5_000
  with limits.file_size(4_000):
    assert not space.reserve(tmp_path / "b", 5_000)
