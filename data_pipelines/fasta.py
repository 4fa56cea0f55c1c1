"""FASTA and FASTQ, plain or compressed -> stream of (line, name, sequence)."""

import dnaio

from data_pipelines import files
from dnajax import errors


def read_fasta(path):
  """Records of a FASTA file; sequences may run over several lines.

  Written out here because the reader of dnaio does not tell lines.

  Yields:
    (line of the header, header without ">", sequence without line ends).

  Raises:
    UserError: not FASTA, or a header without a sequence; with the line.
  """
  start, name, parts = None, None, []
  for number, line in files.lines(path):
    line = line.strip()
    if not line or line[0] == ";":    # ";" begins a comment in old FASTA files
      continue
    if line[0] == ">":
      if name is not None:
        yield _finished(path, start, name, parts)
      start, name, parts = number, line[1:].strip(), []
    elif name is None:
      raise errors.UserError(
          f"{path}, line {number}: not FASTA, a header starting with '>' has to come "
          f"before {line[:30]!r}. If it is a table, give it a header line that names "
          "the columns.")
    else:
      parts.append(line)
  if name is None:
    raise errors.UserError(f"{path} has no FASTA records. Export it again.")
  yield _finished(path, start, name, parts)


def _finished(path, start, name, parts):
  if not parts:
    raise errors.UserError(
        f"{path}, line {start}: header {'>' + name[:60]!r} without a sequence. Remove "
        "the record or fetch the file again.")
  return start, name, "".join(parts)


def read_fastq(path):
  """Records of a FASTQ file of four lines each; qualities are not used.

  Yields:
    (line of the header, header without "@", sequence).

  Raises:
    UserError: the file is not FASTQ, is cut off or damaged; with the line.
  """
  number = 0

  def where():
    return f", after line {4 * number}"
  with files.open_binary(path) as file, files.explain_damage(path, where):
    try:
      for number, record in enumerate(dnaio.FastqReader(file), 1):
        if not record.sequence:
          raise errors.UserError(
              f"{path}, line {4 * number - 3}: header {'@' + record.name[:60]!r} "
              "without a sequence. Remove the record or fetch the file again.")
        yield 4 * number - 3, record.name, record.sequence
    except dnaio.FileFormatError as error:
      line = error.line + 1 if error.line is not None else 4 * number + 1
      raise errors.UserError(
          f"{path}, line {line}: not FASTQ or cut off ({error.message}). "
          "Fetch the file again.") from None
    except (UnicodeDecodeError, ValueError) as error:
      raise errors.UserError(
          f"{path}{where()}: not FASTQ ({error}). Fetch the file again.") from None
