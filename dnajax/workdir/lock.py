"""One training at a time in a workdir.

The kernel releases the lock of a process that dies, however it dies, so nothing has to be
cleared away. On NFS it holds between machines (Linux asks the server). Where a file system
knows no locks it is said, and in a store (gs://, s3://) there are none: there two runs in
one workdir are not noticed. Evaluating, embedding and identifying need no lock.
"""

import contextlib
import datetime
import errno
import fcntl
import os
import socket

from dnajax.devices import processes
from dnajax.shell import errors, files

NAME = ".lock"
_HAS_NONE = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)


@contextlib.contextmanager
def held(workdir, say=print):
  """While active, nobody else trains in a workdir. With several processes all call it.

  Args:
    workdir: exists.
    say: called with a line where no lock can be had.

  Raises:
    UserError: somebody trains in it; names host, process and since when.
  """
  lock = []  # of process 0, which holds it for all
  processes.on_first_process(lambda: lock.append(_take(workdir, say)))
  try:
    yield
  finally:
    for file in filter(None, lock):
      file.close()


def _take(workdir, say):
  """The open file that holds the lock; None where there is no such thing."""
  path = files.path(workdir) / NAME
  if files.is_remote(path):
    return None
  file = open(path, "a+", encoding="utf-8")  # stays open
  try:
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
  except OSError as error:
    file.seek(0)
    holder = file.read(200).strip()
    file.close()
    if error.errno in _HAS_NONE:
      say(f"warning: {path} cannot be locked ({error.strerror}); see that only one run "
          "uses this workdir.")
      return None
    if not isinstance(error, BlockingIOError):
      raise
    raise errors.UserError(
        f"Another run trains in {workdir}: {holder or 'it does not say who'}. Give another "
        "--workdir, or wait until it has ended.") from error
  now = datetime.datetime.now().astimezone().isoformat(" ", "seconds")
  file.truncate(0)
  file.write(f"process {os.getpid()} on {socket.gethostname()} since {now}\n")
  file.flush()
  return file
