"""One training at a time in a workdir."""

import errno
import fcntl
import os
import subprocess
import sys

import pytest

from dnajax.shell import errors, files
from dnajax.workdir import lock
from tests import processes

HOLD = """
import sys, time
from dnajax.workdir import lock
with lock.held(sys.argv[1]):
  print("held", flush=True)
  time.sleep(100)
"""


def test_a_second_run_is_refused_until_the_first_has_ended(tmp_path):
  with lock.held(tmp_path):
    with pytest.raises(errors.UserError) as error, lock.held(tmp_path):
      pass
    text = str(error.value)
    assert f"process {os.getpid()} on " in text and " since 2" in text
    assert str(tmp_path) in text and "--workdir" in text and "\n" not in text
  with lock.held(tmp_path):
    pass


def test_the_lock_of_a_killed_process_is_gone(tmp_path):
  process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)],
                             cwd=processes.ROOT, stdout=subprocess.PIPE, text=True)
  assert process.stdout.readline() == "held\n"
  with pytest.raises(errors.UserError, match=f"process {process.pid} on"), lock.held(tmp_path):
    pass
  process.kill()
  process.communicate()
  with lock.held(tmp_path):
    pass


def test_where_there_are_no_locks_it_is_said(tmp_path, monkeypatch):
  def none(*_):
    raise OSError(errno.ENOLCK, "No locks available")

  monkeypatch.setattr(fcntl, "flock", none)
  said = []
  with lock.held(tmp_path, say=said.append):
    pass
  assert len(said) == 1 and "only one run" in said[0]


def test_nothing_is_locked_in_a_store(tmp_path, monkeypatch):
  monkeypatch.setattr(files, "is_remote", lambda path: True)
  with lock.held(tmp_path), lock.held(tmp_path):
    pass
  assert not list(tmp_path.iterdir())


def test_a_workdir_that_cannot_be_written_is_named(tmp_path, monkeypatch):
  (tmp_path / lock.NAME).mkdir()        # as for a user without rights; tests may run as root
  with pytest.raises(OSError) as error, lock.held(tmp_path):
    pass
  assert error.value.filename is not None
