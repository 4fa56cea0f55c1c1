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
# A record longer than that is refused instead of read into memory, as a file of one endless
# line would be; chromosomes are read in pieces and have no such limit.
MAX_RECORD_BP = 10_000_000
MAX_RECORD_HELP = ("A longer record is refused instead of being read into memory: a damaged file "
                   "may be one endless line.")
LONGEST_HEADER = 1 << 20      # bytes of a line besides its sequence
_MOST_EXPANDED, _SMALL = 200, 1 << 28   # times its size, unless fewer bytes


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


def lines(path, max_record_bp=MAX_RECORD_BP):
  """The text lines of a file, decompressed.

  Args:
    path: the file.
    max_record_bp: letters of the longest sequence in a line.

  Yields:
    (line number from 1, line without its line end).

  Raises:
    UserError: a line is not UTF-8, holds a NUL byte or is too long, or the compressed
      data is damaged; with the line.
  """
  number, longest = 0, max_record_bp + LONGEST_HEADER
  with open_binary(path) as file, explain_damage(path, lambda: f", after line {number}"):
    while raw := file.readline(longest + 1):
      if len(raw) > longest:
        raise too_long(path, number + 1, max_record_bp)
      number += 1
      yield number, decode(path, number, raw).rstrip("\r\n")


def too_long(path, line, max_record_bp):
  """The UserError for a record that is longer than may be read into memory."""
  return errors.UserError(
      f"{path}, line {line}: the record that is here is longer than {max_record_bp:,} letters. "
      "Is the file damaged? Cut long sequences into parts, or give a higher --max_record_bp.")


def unpack(path, file, plain):
  """Copies what `file`, which is `path` decompressed, holds into the file `plain`.

  Raises:
    UserError: it is so much larger than the file that it would fill the disk.
  """
  limit = max(_SMALL, _MOST_EXPANDED * os.path.getsize(path))
  while block := file.read(_BUFFER):
    if plain.tell() + len(block) > limit:
      raise errors.UserError(f"{path}: more than {limit:,} bytes once decompressed. Decompress "
                             "it yourself if that is right.")
    plain.write(block)
  plain.seek(0)


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
