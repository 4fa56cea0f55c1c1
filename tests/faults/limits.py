"""Disks that are full, without being root."""

import contextlib
import resource


@contextlib.contextmanager
def file_size(most):
  """While active, no file of this process may grow beyond `most` bytes."""
  before = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
  try:
    yield
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
