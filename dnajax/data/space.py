"""Where the unpacked columns of a data set lie, and room for them."""

import atexit
import contextlib
import errno
import functools
import os
import pathlib
import shutil
import stat
import tempfile

from dnajax.shell import files


def folders(directory, name):
  """Where columns may lie: beside the data, or if it is remote or read-only, in tmp."""
  if not files.is_remote(directory):
    yield pathlib.Path(directory) / "columns" / name
  yield _own_folder(tempfile.gettempdir()) / name


@functools.cache
def _own_folder(tmp):
  """A folder of tmp that only this user can write; what others have put there is not used."""
  folder = pathlib.Path(tmp) / f"dnajax-columns-{os.getuid()}"
  with contextlib.suppress(OSError):
    folder.mkdir(mode=0o700, exist_ok=True)
    about = folder.lstat()
    if stat.S_ISDIR(about.st_mode) and about.st_uid == os.getuid() and (
        not about.st_mode & 0o077):
      return folder
  with contextlib.suppress(OSError):   # tmp itself may be full: that is told by whoever writes
    folder = pathlib.Path(tempfile.mkdtemp(prefix="dnajax-columns-", dir=tmp))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
  return folder


def reserve(path, num_bytes):
  """Takes room on the disk for a file; returns whether there is enough.

  A memory map of a file without room ends in SIGBUS, which nobody can tell in words.
  """
  try:
    with open(path, "wb") as file, files.named(path):
      if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, num_bytes)
  except OSError as error:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
      return False
    if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
      raise
  return True
