"""Paths of runs and data sets, here or in an object store; files that appear complete."""

import contextlib
import errno
import importlib.util
import os
import uuid

from etils import epath

from dnajax.shell import errors, failures

# Scheme -> the package that reads it and the extra of setup.py that brings it.
_STORES = {"gs": ("gcsfs", "gcs"), "s3": ("s3fs", "s3")}


def path(text):
  """A path that a person gave: a folder or file here, or gs://… or s3://….

  Args:
    text: str or path.

  Returns:
    epath.Path; used as a pathlib.Path, and turned into text again by `str`.

  Raises:
    UserError: another scheme, or the package for it is not installed.
  """
  scheme, is_address, _ = os.fspath(text).partition("://")
  if is_address:
    if scheme not in _STORES:
      raise errors.UserError(
          f"{text}: only gs:// and s3:// are known beside paths of this machine.")
    package, extra = _STORES[scheme]
    if not (_is_installed(package) or _is_installed("tensorflow")):
      raise errors.UserError(
          f"{text}: {scheme}:// needs the package {package}; "
          f"install it with: pip install 'dnajax[{extra}]'")
  return epath.Path(text)


def is_remote(a_path):
  """Whether a path lies in an object store."""
  return "://" in os.fspath(a_path)


def absolute(a_path):
  """The path from the root of its disk or store."""
  a_path = epath.Path(a_path)
  return a_path if is_remote(a_path) else a_path.resolve()


def write_atomically(a_path, make):
  """Calls make(temporary path), then renames it to `a_path`.

  Args:
    a_path: of the file, replaced if it exists; its folder has to exist.
    make: writes the whole file under the name it is given; if it fails, `a_path`
      is as before and nothing is left behind.
  """
  a_path = epath.Path(a_path)
  part = a_path.with_name(f".{a_path.name}.part-{os.getpid()}-{uuid.uuid4().hex[:8]}")
  try:
    with named(a_path):
      make(part)
      part.replace(a_path)
  finally:
    with contextlib.suppress(OSError):  # what happened above is what matters
      part.unlink(missing_ok=True)


@contextlib.contextmanager
def named(a_path):
  """While active, an OSError that names no file, as of a write to a full disk, names this."""
  try:
    yield
  except OSError as error:
    if error.errno is not None and error.filename is None:
      error.filename = os.fspath(a_path)
    raise


@contextlib.contextmanager
def written(folder):
  """While active, a ValueError by which Orbax says that files cannot be written names them.

  Where files go while they are written, it fails in many ways, by what it was doing, and
  most name no path.

  Args:
    folder: where is written.

  Raises:
    OSError: EIO, with the folder and the first line of what Orbax said, if
      `failures.explain` could tell nothing.
  """
  try:
    with named(folder):
      yield
  except ValueError as error:
    if failures.explain(error):
      raise
    said = str(error).strip().split("\n", 1)[0]
    raise OSError(errno.EIO, f"cannot be written: {failures.one_line(said)}",
                  os.fspath(folder)) from error


def write_text(a_path, text):
  """Text to a file, UTF-8, as `write_atomically`."""
  write_atomically(a_path, lambda part: part.write_text(text, "utf-8"))


class Appended:
  """A text file that grows by lines, each on the disk once `add` has returned.

  Objects of a store cannot grow: there the whole file is kept in memory and written
  anew by each `add`. The record of a long run is a few MB.
  """

  def __init__(self, a_path):
    """a_path: of the file; what it holds stays."""
    self._path = epath.Path(a_path)
    self._text, self._file = "", None
    if not is_remote(self._path):
      self._file = open(self._path, "ab", buffering=0)
    elif self._path.exists():
      self._text = self._path.read_text("utf-8")

  def add(self, line):
    """Adds a line; `line` has no newline at its end."""
    with named(self._path):
      if self._file is None:
        self._text += line + "\n"
        self._path.write_text(self._text, "utf-8")
      else:
        rest = f"{line}\n".encode()
        while rest:  # of what a full disk has refused nothing is left to be written at exit
          rest = rest[self._file.write(rest):]
        os.fsync(self._file.fileno())


def _is_installed(package):
  return importlib.util.find_spec(package) is not None
