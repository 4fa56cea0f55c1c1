"""One training at a time in a workdir.

The kernel releases the lock of a process that dies, however it dies, so nothing has to be
cleared away (`shell.locks`). Where a file system knows no locks it is said, and in a store
(gs://, s3://) there are none: there two runs in one workdir are not noticed. Evaluating,
embedding and identifying need no lock.
"""

import contextlib
import datetime
import os
import socket

from dnajax.devices import processes
from dnajax.shell import errors, files, locks

NAME = ".lock"


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
  is_mine = locks.take(file)
  if is_mine is None:
    file.close()
    say(f"warning: {path} cannot be locked; see that only one run uses this workdir.")
    return None
  if not is_mine:
    file.seek(0)
    holder = file.read(200).strip()
    file.close()
    raise errors.UserError(
        f"Another run trains in {workdir}: {holder or 'it does not say who'}. Give another "
        "--workdir, or wait until it has ended.")
  now = datetime.datetime.now().astimezone().isoformat(" ", "seconds")
  file.truncate(0)
  file.write(f"process {os.getpid()} on {socket.gethostname()} since {now}\n")
  file.flush()
  return file
