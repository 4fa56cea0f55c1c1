"""Input files: their bytes, decompressed, and their lines; errors that say where."""

import bz2
import contextlib
import gzip
import io
import lzma
import os
import zlib

from dnajax.shell import errors

try:                                     # of the standard library from Python 3.14 on
  from compression import zstd
except ImportError:
  from backports import zstd

# In this process: damage is then one of few exceptions.
_OPENERS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open,
            b"\x28\xb5\x2f\xfd": zstd.open}
SUFFIXES = {"gz", "bz2", "xz", "zst"}
_DAMAGE = (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError, zstd.ZstdError)
_BUFFER = 1 << 18


def open_binary(path):
  """The decompressed bytes of `path` as a buffered reader, for a `with`.

  Raises:
    UserError: there is no such file, it is a directory, empty or unreadable.
  """
  if os.path.isdir(path):
    raise errors.UserError(f"{path} is a directory. Name the file in it to read.")
  try:
    with open(path, "rb") as file:
      start = file.read(8)
  except FileNotFoundError:
    raise errors.UserError(
        f"There is no file {path}. Check the name and the working directory "
        f"({os.getcwd()}).") from None
  except OSError as error:
    raise errors.UserError(f"{path} cannot be opened: {error.strerror}.") from None
  if not start:
    raise errors.UserError(f"{path} is empty (0 bytes). Fetch or export it again.")
  for magic, opener in _OPENERS.items():
    if start.startswith(magic):
      return io.BufferedReader(opener(path, "rb"), _BUFFER)
  return open(path, "rb", buffering=_BUFFER)


@contextlib.contextmanager
def explain_damage(path, where=lambda: ""):
  """Turns what decompressors and the disk raise into a UserError.

  Args:
    path: the file being read.
    where: returns the place reached, for example ", after line 12".
  """
  try:
    yield
  except _DAMAGE as error:
    raise errors.UserError(
        f"{path}{where()}: the compressed data is cut off or damaged ({error}). "
        "Fetch the file again and compare its size or checksum.") from None
  except OSError as error:
    raise errors.UserError(
        f"{path}{where()}: reading failed ({error}). Fetch the file again or "
        "check the disk.") from None


def lines(path):
  """The text lines of a file, decompressed.

  Yields:
    (line number from 1, line without its line end).

  Raises:
    UserError: a line is not UTF-8 or holds a NUL byte, or the compressed data
      is damaged; with the line.
  """
  number = 0
  with open_binary(path) as file, explain_damage(path, lambda: f", after line {number}"):
    for number, raw in enumerate(file, 1):
      yield number, decode(path, number, raw).rstrip("\r\n")


def decode(path, number, raw):
  """Line `number` of a file as text; UserError if it is not UTF-8 or holds a NUL byte."""
  try:
    line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
  except UnicodeDecodeError as error:
    raise errors.UserError(
        f"{path}, line {number}: byte 0x{raw[error.start]:02x} is not UTF-8 text. "
        f"Convert the file, for example with: iconv -f latin1 -t utf-8 {path}"
    ) from None
  if "\0" in line:
    raise errors.UserError(
        f"{path}, line {number}: binary data inside a text file (NUL byte). "
        "Fetch or export the file again.")
  return line
