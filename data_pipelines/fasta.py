"""FASTA and FASTQ, plain or compressed -> stream of (line, name, sequence)."""

import codecs
import itertools
import operator

import dnaio

from data_pipelines import files
from dnajax.shell import errors

_PIECE = 1 << 21              # bytes read at a time
# What makes a block be looked at line by line: NUL, line ends of Windows, comments,
# and blanks at the ends of lines. Single letters are found 40 times as fast as pairs.
_UNUSUAL, _UNUSUAL_BLANKS = (b"\0", b"\r", b"\t", b";"), (b"\n ", b" \n")


def read_fasta(path, max_record_bp=files.MAX_RECORD_BP):
  """Records of a FASTA file; sequences may run over several lines.

  Written out here because the reader of dnaio does not tell lines.

  Args:
    path: the file.
    max_record_bp: letters of the longest sequence.

  Yields:
    (line of the header, header without ">", sequence without line ends).

  Raises:
    UserError: not FASTA, a header without a sequence, or too long; with the line.
  """
  records = itertools.groupby(read_pieces(path), key=operator.itemgetter(0, 1))
  for (line, name), pieces in records:
    parts, size = [], 0
    for _, _, letters in pieces:
      parts.append(letters)
      size += len(letters)
      if size > max_record_bp:
        raise files.too_long(path, line, max_record_bp)
    yield line, name, b"".join(parts).decode("utf-8", "replace")


def read_pieces(path, size=_PIECE):
  """Records of a FASTA file in pieces, so that a chromosome needs no memory.

  Args:
    path: the file.
    size: bytes of the file read at a time; a piece has at most twice as many letters.

  Yields:
    (line of the header, header without ">", some letters as bytes without line
    ends); the pieces of a record follow each other and none is empty.

  Raises:
    UserError: as `read_fasta`.
  """
  for start, name, _, text in _parts(path, size):
    yield start, name, text.replace(b"\n", b"")


def _parts(path, size):
  """Yields (line of the header, header, line of the first letters, lines with letters)."""
  start, name, is_empty = None, None, False
  for number, text, is_inside in _blocks(path, size):
    at = 0
    while at < len(text):
      if text[at] == ord(">") and not is_inside:
        if is_empty:
          raise _no_sequence(path, start, name)
        end = text.find(b"\n", at) + 1 or len(text)
        start, name, is_empty = number, text[at + 1:end].decode().strip(), True
      else:
        end = _next_header(text, at)
        letters = text[at:end].strip(b"\n")
        if letters and name is None:
          line = number + text[at:end].index(letters[:1])    # blank lines come before
          shown = text[at:end].split(maxsplit=1)[0][:30].decode("utf-8", "replace")
          raise errors.UserError(
              f"{path}, line {line}: not FASTA, a header starting with '>' has to come "
              f"before {shown!r}. If it is a table, give it a header line that names "
              "the columns.")
        if letters:
          is_empty = False
          yield start, name, number, text[at:end]
      number += text.count(b"\n", at, end)
      at, is_inside = end, False
  if name is None:
    raise errors.UserError(f"{path} has no FASTA records. Export it again.")
  if is_empty:
    raise _no_sequence(path, start, name)


def _next_header(text, at):
  """Where the next line that begins with ">" starts; the end if there is none."""
  while (at := text.find(b">", at + 1)) > 0:
    if text[at - 1] == ord("\n"):
      return at
  return len(text)


def _no_sequence(path, line, name):
  return errors.UserError(
      f"{path}, line {line}: header {'>' + name[:60]!r} without a sequence. Remove "
      "the record or fetch the file again.")


def _blocks(path, size):
  """Whole lines of a file, or parts of a sequence line longer than `size`.

  Yields:
    (number of the first line, bytes, whether they begin inside a line).
  """
  number, rest, is_inside = 1, b"", False
  with files.open_binary(path) as file, files.explain_damage(path, lambda: (
      f", after line {number - 1}")):
    if file.peek(3)[:3] == codecs.BOM_UTF8:
      file.read(3)
    while block := file.read(size):
      text = rest + block
      cut = text.rfind(b"\n") + 1
      if not cut and (is_inside or text.lstrip()[:1] not in (b">", b";", b"")):
        cut = len(text.rstrip())      # blanks wait: they may be the end of the line
      rest = text[cut:]
      if not cut and len(rest) > files.LONGEST_HEADER:
        raise errors.UserError(
            f"{path}, line {number}: a header, comment or blank line of more than "
            f"{files.LONGEST_HEADER:,} bytes. Is the file damaged? Fetch it again.")
      if cut:
        yield number, _tidy(path, number, text[:cut], is_inside), is_inside
        number += text.count(b"\n", 0, cut)
        is_inside = text[cut - 1] != ord("\n")
    if rest:
      yield number, _tidy(path, number, rest, is_inside), is_inside


def _tidy(path, number, text, is_inside):
  """The same lines without comments and blanks at their ends, checked to be text."""
  is_unusual = (not text.isascii() or any(x in text for x in _UNUSUAL)
                or b" " in text and (b" " in (text[:1], text[-1:])
                                     or any(x in text for x in _UNUSUAL_BLANKS)))
  if not is_unusual:
    return text
  lines = [files.decode(path, n, raw).rstrip()
           for n, raw in enumerate(text.split(b"\n"), number)]
  whole = lines[is_inside:]          # the first one began in another block
  # ";" begins a comment in old FASTA files
  whole = ["" if line[:1] == ";" else line for line in map(str.strip, whole)]
  return "\n".join(lines[:is_inside] + whole).encode()


def explain_letters(path, line, bad):
  """A UserError for letters outside IUPAC, with the line that has the first.

  Args:
    path: the file.
    line: of the record's header.
    bad: bytes, the letters in question.
  """
  found, bad = bad[:20].decode("utf-8", "replace"), bytes(set(bad))
  good = bytes(set(range(256)) - set(bad))
  for start, _, number, text in _parts(path, _PIECE):
    rest = text.translate(None, good) if start == line else b""
    if rest:
      at = text.index(rest[:1])
      line = number + text.count(b"\n", 0, at)
      here = text[at:text.find(b"\n", at) % (len(text) + 1)].decode("utf-8", "replace")
      found = sorted(x for x in set(here) if set(x.encode()) <= set(bad))[:20]
      break
  return errors.UserError(
      f"{path}, line {line}: characters outside the IUPAC letters: "
      f"{''.join(sorted(set(found)))!r}. Is this DNA? Correct or remove the record.")


def read_fastq(path, max_record_bp=files.MAX_RECORD_BP):
  """Records of a FASTQ file of four lines each; qualities are not used.

  Args:
    path: the file.
    max_record_bp: letters of the longest sequence.

  Yields:
    (line of the header, header without "@", sequence).

  Raises:
    UserError: the file is not FASTQ, is cut off, damaged or a record too long; with the
      line.
  """
  number = 0

  def where():
    return f", after line {4 * number}"

  class Bounded:
    """The file for dnaio, which doubles its buffer until a record fits."""

    def read(self, size):
      if size > 4 * max_record_bp + 2 * files.LONGEST_HEADER:
        raise files.too_long(path, 4 * number + 1, max_record_bp)
      return file.read(size)

    def close(self):
      pass

  bounded = Bounded()
  with files.open_binary(path) as file, files.explain_damage(path, where):
    try:
      for number, record in enumerate(dnaio.FastqReader(bounded), 1):
        if len(record.sequence) > max_record_bp:
          raise files.too_long(path, 4 * number - 3, max_record_bp)
        if not record.sequence:
          raise errors.UserError(
              f"{path}, line {4 * number - 3}: header {'@' + record.name[:60]!r} "
              "without a sequence. Remove the record or fetch the file again.")
        yield 4 * number - 3, record.name, record.sequence
    except dnaio.FileFormatError as error:
      line = error.line + 1 if error.line is not None else 4 * number + 1
      raise errors.UserError(
          f"{path}, line {line}: not FASTQ or cut off "
          f"({error.message.splitlines()[0][:200]}). "
          "Fetch the file again.") from None
    except (UnicodeDecodeError, ValueError) as error:
      raise errors.UserError(
          f"{path}{where()}: not FASTQ ({error}). Fetch the file again.") from None
