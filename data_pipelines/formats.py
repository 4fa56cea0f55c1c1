"""The formats of input files: one table for whoever reads, recognises or names them.

Content decides, not the name: a `.gz` that was unpacked already, a `.csv` with tabs or
a FASTA called `.txt` are read for what they are. A new format is a function that reads it,
and a line of FORMATS.
"""

import dataclasses
from collections.abc import Callable

from data_pipelines import fasta, files, tables
from dnajax.shell import errors

_SNIFF = 1 << 16


@dataclasses.dataclass(frozen=True)
class Format:
  """One format; it has either `headers` or `rows`.

  name: what people call it.
  suffixes: endings of file names.
  begins: the first bytes of such a file, any of them; () for what no other format claims.
  headers: (path, max_record_bp) -> (line, header, sequence) of every record.
  rows: (path, choose, max_record_bp) -> (line, cells) of every row of a table. `choose` is
    called once with the names of all columns and returns the wanted ones.
  is_text: blanks before `begins` do not matter, and no byte is NUL.
  """
  name: str
  suffixes: tuple
  begins: tuple
  headers: Callable | None = None
  rows: Callable | None = None
  is_text: bool = True


FORMATS = (
    Format("FASTA", ("fa", "fasta", "fas", "fna"), (b">", b";"), headers=fasta.read_fasta),
    Format("FASTQ", ("fq", "fastq"), (b"@",), headers=fasta.read_fastq),
    Format("Parquet", ("parquet", "pq"), (b"PAR1",), rows=tables.read_parquet, is_text=False),
    Format("TSV or CSV", ("tsv", "csv", "tab", "txt"), (), rows=tables.read_text),
)


def in_words(*, tables_only=False):
  """The names of all formats, or of the tables, for help texts and messages."""
  return ", ".join(x.name for x in FORMATS if x.rows or not tables_only)


def sniff(path):
  """The Format of the content of `path`.

  Raises:
    UserError: unknown binary data, text in another encoding, or nothing but blanks.
  """
  with files.open_binary(path) as file, files.explain_damage(path, lambda: ", at its start"):
    start = file.read(_SNIFF)
  if not start:
    raise errors.UserError(f"{path} is empty once decompressed. Export it again.")
  text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
  for one in FORMATS:
    if not one.is_text and start.startswith(one.begins):
      return one
  if b"\0" in start:
    line = start[:start.index(b"\0")].count(b"\n") + 1
    raise errors.UserError(
        f"{path}, line {line}: binary data, not text. Give {in_words()} (a spreadsheet has "
        "to be exported as TSV or CSV).")
  if not text:
    raise errors.UserError(f"{path} holds nothing but blanks. Export it again.")
  fitting = [one for one in FORMATS if one.is_text and text.startswith(one.begins)]
  return (fitting or [one for one in FORMATS if not one.begins])[0]


def require_fasta(path):
  """UserError unless the file holds FASTA."""
  found = sniff(path)
  if found.headers is not fasta.read_fasta:
    raise errors.UserError(f"{path} is not FASTA but looks like {found.name}. Give FASTA "
                           "files, plain or compressed.")


def read_rows(path, choose, max_record_bp=files.MAX_RECORD_BP):
  """Rows of a table of any format.

  Args:
    path: the file.
    choose: see Format.rows.
    max_record_bp: letters of the longest sequence.

  Yields:
    (line where the row starts, or its number from 1 in Parquet; wanted cells as text).

  Raises:
    UserError: no table, no rows, or damaged; with the line.
  """
  found = sniff(path)
  if found.rows is None:
    raise errors.UserError(f"{path} is {found.name} and has no columns. Give a table: "
                           f"{in_words(tables_only=True)}.")
  line = None
  for line, cells in found.rows(path, choose, max_record_bp):
    yield line, cells
  if line is None:
    raise errors.UserError(f"{path} has a header and no rows. Export it again.")


def stem(name):
  """The name of a file without the endings of formats and compressions."""
  known = {suffix for one in FORMATS for suffix in one.suffixes} | files.SUFFIXES
  while "." in name and name.rpartition(".")[2].lower() in known:
    name = name.rpartition(".")[0]
  return name


def is_table_name(name):
  """Whether a file name ends as a table's, compressed or not."""
  parts = name.lower().split(".")
  if parts[-1] in files.SUFFIXES:
    parts.pop()
  return any(parts[-1] in one.suffixes for one in FORMATS if one.rows)
