"""A file of any format -> stream of records: id, sequence, fields, line."""

import dataclasses
import os
import re

from data_pipelines import cleaning, files, formats, presets
from dnajax.shell import errors

# Characters of a header that --header_pattern looks at: the time of many patterns grows
# with the square of the length.
_MATCHED = 1000


@dataclasses.dataclass(slots=True)
class Record:
  """One sequence of a file, as it is there.

  id: the id column, or the first word of a FASTA header, or "<file>:<line>".
  fields: {rank or "split": text, "" if there is none}; the same keys in every
    record of a file.
  line: where the record starts, from 1; the row number for Parquet.
  """
  id: str
  sequence: str
  fields: dict
  line: int


def read(path, columns=None, *, preset="auto", header_pattern=None, absent=None,
         allow_protein=False, max_record_bp=files.MAX_RECORD_BP):
  """Records of a file of any of formats.FORMATS, plain or compressed.

  What the file is follows from its content, not from its name. Memory does not
  depend on the size of the file.

  Args:
    path: the file.
    columns: {field: column name} for tables; fields are presets.FIELDS. Columns
      not named here are looked up in the preset.
    preset: layout of a table: a name in presets.PRESETS, or "auto".
    header_pattern: regular expression with groups named like the fields, found
      in the first 1,000 characters of each FASTA or FASTQ header. Default: the first
      word is the id.
    absent: cells that mean "no value" besides "" (default: the preset's).
    allow_protein: for who looks at the letters of each record himself.
    max_record_bp: letters of the longest sequence that is read into memory.

  Yields:
    Record.

  Raises:
    UserError: wrong or damaged file, protein; one line with file, line and remedy.
  """
  for record in _records(path, columns, preset, header_pattern, absent, max_record_bp):
    if not allow_protein and cleaning.is_protein(record.sequence):
      raise errors.UserError(
          f"{path}, line {record.line}: the sequence of {record.id[:80]!r} is no DNA; it looks "
          f"like protein or other text ({record.sequence[:20]!r}). Give nucleotides, or name "
          "the column that holds them.")
    yield record


def _records(path, columns, preset, header_pattern, absent, max_record_bp):
  found = formats.sniff(path)
  if found.rows:
    yield from _from_table(path, columns, preset, absent, max_record_bp)
    return
  if columns:
    raise errors.UserError(f"{path} is {found.name} and has no columns. Leave --columns out; "
                           "labels of prepare come from its --header_pattern.")
  yield from _from_headers(path, found.headers(path, max_record_bp), header_pattern,
                           frozenset(absent or ()))


def _from_table(path, columns, preset, absent, max_record_bp):
  layout = None

  def choose(names):
    nonlocal layout
    layout = presets.resolve(names, path=path, preset=preset, columns=columns)
    return layout.columns.values()

  stem, none = os.path.basename(path), None
  for number, cells in formats.read_rows(path, choose, max_record_bp):
    if none is None:                   # the layout is known from the first row on
      none = layout.absent if absent is None else {"", *absent}
    fields = {field: "" if (text := one_line(cell)) in none else text
              for field, cell in zip(layout.columns, cells, strict=True)}
    yield Record(id=fields.pop("id", "") or f"{stem}:{number}",
                 sequence=fields.pop("sequence"), fields=fields, line=number)


def _from_headers(path, entries, header_pattern, absent):
  pattern = compile_pattern(header_pattern)
  for line, header, sequence in entries:
    if pattern is None:
      fields = {}
    else:
      match = pattern.search(header, 0, _MATCHED)
      if match is None:
        raise errors.UserError(
            f"{path}, line {line}: header {header[:80]!r} does not match "
            f"--header_pattern={header_pattern!r}. Make optional parts optional: "
            "(?:...)?")
      fields = {name: "" if (text := one_line(group or "")) in absent else text
                for name, group in match.groupdict().items()}
    words = header.split(maxsplit=1)
    name = fields.pop("id", "") or (words[0] if words else "")
    yield Record(id=name or f"{os.path.basename(path)}:{line}", sequence=sequence,
                 fields=fields, line=line)


def one_line(text):
  """Runs of blanks and line ends as one blank: a label is a line of a text file."""
  return " ".join(text.split())


def compile_pattern(header_pattern):
  """The compiled pattern, or None for none; UserError if it cannot be used."""
  if not header_pattern:
    return None
  try:
    pattern = re.compile(header_pattern)
  except re.error as error:
    raise errors.UserError(f"--header_pattern is not a regular expression: {error}.") from None
  known = [field for field in presets.FIELDS if field != "sequence"]
  unknown = sorted(set(pattern.groupindex) - set(known))
  if unknown or not pattern.groupindex:
    raise errors.UserError(
        f"--header_pattern needs groups named like (?P<genus>...), of: {', '.join(known)}. "
        f"Found: {', '.join(unknown) or 'no named group'}.")
  return pattern
