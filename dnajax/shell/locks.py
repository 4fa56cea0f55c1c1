"""Locks on files that the kernel releases when their process ends, however it ends."""

import errno

_HAS_NONE = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)


def take(file):
  """Locks an open file for this process, without waiting.

  On NFS it holds between machines (Linux asks the server).

  Args:
    file: open for writing, or its descriptor; the lock goes when it is closed.

  Returns:
    True: it is locked. False: another process has locked it. None: there are no locks here,
    neither on some file systems nor on Windows.
  """
  try:
    import fcntl
  except ImportError:
    return None
  try:
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
  except BlockingIOError:
    return False
  except OSError as error:
    if error.errno in _HAS_NONE:
      return None
    raise
  return True
