"""A prepared data set appears at once or not at all.

Everything is built in a hidden folder of the data directory and renamed into
place at the end. A process that dies leaves its folder behind without its lock;
the next one clears it away.

A store has no renames: there it is built on this machine and copied, the summary last,
and what has no summary is no data set.
"""

import contextlib
import fcntl
import os
import pathlib
import shutil
import tempfile
import time

from etils import epath

from dnajax.data import summary
from dnajax.shell import errors, files

_PREFIX = ".incomplete-"
_GRACE = 3600                 # seconds a folder without a lock file is left alone


@contextlib.contextmanager
def folder(data_dir):
  """A new hidden folder in `data_dir` or for a store here, gone at the end whatever happens."""
  data_dir = pathlib.Path(tempfile.gettempdir() if files.is_remote(data_dir) else data_dir)
  created = [p for p in (data_dir, *data_dir.parents) if not p.exists()]
  try:
    data_dir.mkdir(parents=True, exist_ok=True)
    path = pathlib.Path(tempfile.mkdtemp(prefix=_PREFIX, dir=data_dir))
  except OSError as error:
    raise errors.UserError(f"--data_dir={data_dir}: cannot be written to "
                           f"({error.strerror}). Choose another directory.") from None
  lock = open(path / "lock", "w")
  try:
    fcntl.flock(lock, fcntl.LOCK_EX)
    _clear_abandoned(data_dir)
    yield path
  finally:
    shutil.rmtree(path, ignore_errors=True)
    lock.close()
    for parent in created:                # only what this call made, only if empty
      with contextlib.suppress(OSError):
        parent.rmdir()


@contextlib.contextmanager
def explain_full(data_dir):
  """Turns what a full or vanished disk raises into a UserError; what is read explains
  itself, see files.explain_damage."""
  try:
    yield
  except OSError as error:
    raise errors.UserError(
        f"--data_dir={data_dir}: writing failed ({error.strerror or error}); nothing of the "
        "data set is left. Make room there, or choose another directory.") from None


def _clear_abandoned(data_dir):
  for path in data_dir.glob(_PREFIX + "*"):
    try:
      with open(path / "lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path, ignore_errors=True)
    except BlockingIOError:               # its process is alive
      continue
    except OSError:
      with contextlib.suppress(OSError):
        if time.time() - path.stat().st_mtime > _GRACE:
          shutil.rmtree(path, ignore_errors=True)


def publish(built, target, *, overwrite, staging):
  """Renames the folder `built` to `target`.

  Args:
    built: finished folder inside `staging`.
    target: epath.Path where it goes; its parents are made.
    overwrite: an existing `target` is replaced; otherwise it is an error.
    staging: the folder of `folder`, where a replaced data set waits for removal.
  """
  if files.is_remote(target):
    _copy(built, target, overwrite)
    return
  target.parent.mkdir(parents=True, exist_ok=True)
  if target.exists():
    refuse_existing(target, overwrite)
    os.rename(target, staging / "replaced")
  try:
    os.rename(built, target)
  except OSError as error:                # another process was faster
    raise errors.UserError(f"{target} could not be put in place ({error.strerror}). "
                           "Did another process prepare it meanwhile?") from None


def _copy(built, target, overwrite):
  if target.exists():
    refuse_existing(target, overwrite)
    (target / summary.NAME).unlink(missing_ok=True)   # from here on it is no data set
    target.rmtree()
  paths = [path for path in pathlib.Path(built).rglob("*") if path.is_file()]
  for path in sorted(paths, key=lambda path: path.name == summary.NAME):
    copied = target / path.relative_to(built).as_posix()
    copied.parent.mkdir(parents=True, exist_ok=True)
    epath.Path(path).copy(copied)


def refuse_existing(target, overwrite):
  """UserError if `target` is there and may not be replaced."""
  if target.exists() and not overwrite:
    raise errors.UserError(
        f"{target} exists already. Use it, choose another --name or --data_dir, or "
        "give --overwrite to replace it.")
