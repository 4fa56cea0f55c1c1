import importlib.util
import os

import pytest
from etils import epath
from etils.epath import backend, gpath
from fsspec.implementations import memory

from dnajax.shell import errors, files
from dnajax.shell.metric import Metric
from dnajax.workdir import config_file, metrics


class Store(memory.MemoryFileSystem):
  """Objects in memory under gs://; like a store, they cannot be appended to."""
  protocol = ("gs", "gcs")
  store, pseudo_dirs = {}, [""]

  def __init__(self, **options):
    super().__init__()

  @classmethod
  def _strip_protocol(cls, path):
    return "/" + path.removeprefix("gs://").strip("/")

  def _open(self, path, mode="rb", **options):
    assert "a" not in mode
    return super()._open(path, mode, **options)


@pytest.fixture
def store(monkeypatch):
  """gs:// is in memory."""
  monkeypatch.setattr(files, "_is_installed", lambda package: package == "gcsfs")
  monkeypatch.setattr(gpath, "_is_tf_installed", lambda: False)
  monkeypatch.setattr(backend.fsspec_backend, "fs", lambda path: Store())
  yield Store.store
  Store.store.clear()


def test_a_path_of_this_machine_is_what_it_was(tmp_path):
  path = files.path(tmp_path) / "a"
  path.mkdir()
  files.write_text(path / "b.txt", "é")
  assert (tmp_path / "a/b.txt").read_text("utf-8") == "é" and str(path) == str(tmp_path / "a")
  assert files.absolute("x") == epath.Path(os.getcwd()) / "x"


@pytest.mark.parametrize("text, wanted", [
    ("gs://bucket/run", "gs:// needs the package gcsfs.*dnajax.gcs."),
    ("s3://bucket/run", "s3:// needs the package s3fs.*dnajax.s3."),
    ("http://host/run", "only gs:// and s3:// are known")])
def test_a_store_that_cannot_be_read_is_refused_in_one_line(monkeypatch, text, wanted):
  monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
  with pytest.raises(errors.UserError, match=wanted) as error:
    files.path(text)
  assert text in str(error.value) and "\n" not in str(error.value)


def test_a_file_is_whole_or_as_before(tmp_path):
  path = tmp_path / "a.txt"
  files.write_text(path, "old")

  def broken(part):
    part.write_text("half")
    raise OSError("no space left")

  with pytest.raises(OSError):
    files.write_atomically(path, broken)
  assert path.read_text() == "old" and os.listdir(tmp_path) == ["a.txt"]


def test_lines_are_added_to_what_is_there(tmp_path):
  path = tmp_path / "log.txt"
  path.write_text("one\n")
  file = files.Appended(path)
  file.add("twö")
  assert path.read_text("utf-8") == "one\ntwö\n"


def test_the_files_of_a_run_go_into_a_store(store):
  workdir = files.path("gs://bucket/run")
  assert files.is_remote(workdir) and str(files.absolute(workdir)) == "gs://bucket/run"
  config_file.write(workdir, {"a": (1, 2)})
  assert config_file.read("gs://bucket/run") == {"a": [1, 2]}
  for first_step, steps in ((None, (1, 2, 3)), (2, (3,))):
    writers, say = metrics.open_writers(workdir, total_steps=3, first_step=first_step)
    say("begins")
    for step in steps:
      for writer in writers:
        writer.write(step, [Metric("train/loss", step)])
  assert [row["step"] for row in metrics.read_rows(metrics.path(workdir))] == [1, 2, 3]
  assert (workdir / "log.txt").read_text().count("begins\nstep ") == 2
  assert sorted(store) == [f"/bucket/run/{name}" for name in
                           ("config.json", "log.txt", "metrics.jsonl")]
  assert not os.path.exists("gs:")
