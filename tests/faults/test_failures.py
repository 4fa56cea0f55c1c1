"""What a system, a store or a device refuses is one line; mistakes keep their traceback."""

import errno
import re
import subprocess
import sys

import pytest

from dnajax.shell import errors, failures, files
from dnajax.workdir import checkpointing
from tests import processes
from tests.faults import limits
from tests.workdir import states


class HttpError(Exception):
  """As gcsfs raises it."""


def caused_by(cause):
  error = RuntimeError("saving failed")
  error.__cause__ = cause
  return error


FULL = OSError(errno.ENOSPC, "No space left on device", "/disk/run/metrics.jsonl")
TOLD = [
    (FULL, "/disk/run/metrics.jsonl: No space left.*Make room.*same command"),
    (OSError(errno.EROFS, "Read-only file system", "a"), "a: Read-only.*may be written"),
    (PermissionError(errno.EACCES, "Permission denied", b"a\xff"), "a.*Permission denied"),
    (FileNotFoundError(errno.ENOENT, "No such file", "/mnt/run/log.txt"), "/mnt/run/log.txt"),
    (OSError(errno.EIO, "Input/output error", "a"), "EIO.*still there and mounted"),
    (OSError(errno.ENOTCONN, "Transport endpoint is not connected", "a"), "mounted"),
    (ValueError('NOT_FOUND: Error opening "/run/8/d/1": x\n[os_error_code=\'2\']'),
     "/run/8/d/1: No such file"),
    (ValueError('RESOURCE_EXHAUSTED: Failed writing: "/run/9/d": Failed to write 260 bytes to '
                "file 6: No space left on device [os_error_code='28']"),
     "/run/9/d: No space left on device.*Make room"),
    (ValueError('NOT_FOUND: Error writing "a.b/0.0" in OCDBT database at local file '
                '"/run/9/d/": Error opening "/run/9/d/1f"'), "/run/9/d/1f: not found.*mounted"),
    (ValueError('NOT_FOUND: Error writing "a.b/0.0" in OCDBT database at local file '
                '"/run/9/d/": Failed to create directory: "/run/9/d\\x00\\x64": No such file or '
                "directory [os_error_code='2']"), "/run/9/d/: No such file"),
    (RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 99 bytes.\nstack"),
     "Not enough memory: .*99 bytes. stack.*config.batch_size"),
    (MemoryError(), "Not enough memory: MemoryError.*config.batch_size"),
    (HttpError("Forbidden, 403"), "The store refused: HttpError: Forbidden, 403"),
    (caused_by(FULL), "metrics.jsonl: No space left"),
    (ExceptionGroup("many", [ValueError("x"), FULL]), "metrics.jsonl: No space left")]


@pytest.mark.parametrize("error, text", TOLD)
def test_it_is_told_in_one_line_with_a_remedy(error, text, capsys):
  def main():
    raise error

  with pytest.raises(SystemExit) as ended:
    errors.exit_cleanly(main)()
  said = capsys.readouterr().err
  assert ended.value.code == 2 and said.count("\n") == 1 and said.startswith("error: ")
  assert re.search(text, said)


@pytest.mark.parametrize("error", [
    ValueError("x"), KeyError("a"), OSError("of a library"), caused_by(TypeError("y"))])
def test_mistakes_keep_their_traceback(error, capsys):
  assert failures.explain(error) is None
  assert errors.tell(error) == 1
  assert type(error).__name__ in capsys.readouterr().err


def test_what_was_handled_on_the_way_to_a_mistake_does_not_hide_it():
  try:
    try:
      raise FULL
    except OSError:
      raise TypeError("a mistake") from None
  except TypeError as error:
    assert failures.explain(error) is None


def test_a_message_is_one_line_without_characters_that_a_terminal_acts_on(capsys):
  assert errors.tell(errors.UserError("a\n  b \x1b[31mc\udcff")) == 2
  assert capsys.readouterr().err == "error: a b ?[31mc?\n"


def test_a_file_that_cannot_grow_is_named_and_keeps_its_lines(tmp_path):
  file = files.Appended(tmp_path / "log.txt")
  file.add("whole")
  files.write_text(tmp_path / "a.json", "old")
  with limits.file_size(50):
    with pytest.raises(OSError) as told:
      file.add("x" * 100)
    assert str(tmp_path / "log.txt") in failures.explain(told.value)
    with pytest.raises(OSError) as told:
      files.write_text(tmp_path / "a.json", "x" * 100)
    assert str(tmp_path / "a.json") in failures.explain(told.value)
  assert (tmp_path / "log.txt").read_text().startswith("whole\n")
  assert (tmp_path / "a.json").read_text() == "old"
  assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "log.txt"]


def test_a_save_without_room_is_told_and_leaves_the_checkpoint_before(tmp_path):
  states.save(tmp_path, (4,))
  with limits.file_size(500), pytest.raises(Exception) as told:
    states.save(tmp_path, (8,))
  assert "ulimit -f" in failures.explain(told.value)
  assert checkpointing.saved_steps(tmp_path) == [4]
  states.save(tmp_path, (8,))
  states.restore(tmp_path, 8)
  assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["4", "8"]


def test_nothing_that_was_refused_is_written_again_at_the_end_of_the_program(tmp_path):
  script = ("import resource, sys; from dnajax.shell import errors, files; "
            "file = files.Appended(sys.argv[1]); "
            "resource.setrlimit(resource.RLIMIT_FSIZE, (5, 5)); "
            "errors.exit_cleanly(lambda: file.add('x' * 9))()")
  done = subprocess.run([sys.executable, "-c", script, str(tmp_path / "log")],
                        cwd=processes.ROOT, capture_output=True, text=True)
  assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr


@pytest.mark.parametrize("said", [
    "No ArrayMetadata found for process_index=0 in the checkpoint directory: /run/2.tmp. But",
    "Save failed: 44/46 params are missing .zarray in checkpoint:\nencoder.word \nhead.out"])
def test_a_save_whose_files_go_names_the_folder_whatever_orbax_says(said):
  with pytest.raises(OSError) as error, files.written("/run/checkpoints"):
    raise ValueError(said)
  line = failures.explain(error.value)
  assert line.startswith(f"/run/checkpoints: cannot be written: {said.split(chr(10))[0]}")
  assert "\n" not in line and "still there" in line


def test_a_save_that_says_where_and_why_keeps_its_words():
  said = next(error for error, _ in TOLD if type(error) is ValueError)
  with pytest.raises(ValueError) as error, files.written("/elsewhere"):
    raise said
  assert error.value is said
