"""A prepared data set appears at once or not at all.

Everything is built in a hidden folder of the data directory and renamed into
place at the end. A process that dies leaves its folder behind without its lock;
the next one clears it away.
"""

import contextlib
import fcntl
import os
import pathlib
import shutil
import tempfile
import time

from dnajax import errors

_PREFIX = ".incomplete-"
_GRACE = 3600                 # seconds a folder without a lock file is left alone


@contextlib.contextmanager
def folder(data_dir):
  """A new hidden folder in `data_dir`, gone at the end whatever happens."""
  data_dir = pathlib.Path(data_dir)
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
    target: where it goes; its parents are made.
    overwrite: an existing `target` is replaced; otherwise it is an error.
    staging: the folder of `folder`, where a replaced data set waits for removal.
  """
  target.parent.mkdir(parents=True, exist_ok=True)
  if target.exists():
    refuse_existing(target, overwrite)
    os.rename(target, staging / "replaced")
  try:
    os.rename(built, target)
  except OSError as error:                # another process was faster
    raise errors.UserError(f"{target} could not be put in place ({error.strerror}). "
                           "Did another process prepare it meanwhile?") from None


def refuse_existing(target, overwrite):
  """UserError if `target` is there and may not be replaced."""
  if target.exists() and not overwrite:
    raise errors.UserError(
        f"{target} exists already. Use it, choose another --name or --data_dir, or "
        "give --overwrite to replace it.")
