"""TSV, CSV and Parquet with named columns -> rows; errors carry file and line."""

import csv
import io
import itertools
import operator
import tempfile

from data_pipelines import files
from dnajax.shell import errors

# Parquet rows in memory at a time: a small file may repeat a long cell without end.
_BATCH = 64


def read_text(path, choose, max_record_bp=files.MAX_RECORD_BP):
  """Rows of a table of text whose first line names the columns.

  The separator is the first of tab, comma and semicolon that the header line
  has. Cells of a CSV may be quoted and hold line ends. In a TSV a quotation
  mark is an ordinary character, unless the pair encloses the whole cell.

  Args:
    path: the file.
    choose: called once with the column names; returns the wanted ones.
    max_record_bp: letters of the longest sequence.

  Yields:
    (line where the row starts, list of the wanted cells).

  Raises:
    UserError: a row has more or fewer cells than the header, or is too long; with the
      line.
  """
  numbered = files.lines(path, max_record_bp)
  first, header = next((pair for pair in numbered if pair[1].strip()), (1, None))
  if header is None:
    raise errors.UserError(f"{path} holds nothing but blanks. Export it again.")
  separator = next((s for s in "\t,;" if s in header), "\t")
  lines = itertools.chain([header], (line for _, line in numbered))
  rows = _rows(path, lines, separator, first, max_record_bp)
  names = [name.strip() for name in next(rows)[1]]
  wanted = choose(names)
  pick = operator.itemgetter(*(names.index(name) for name in wanted), 0)
  for line, cells in rows:
    if len(cells) == len(names):
      yield line, pick(cells)[:-1]
    elif any(cells):
      raise errors.UserError(
          f"{path}, line {line}: {len(cells)} cells where the header has {len(names)} "
          "columns. Repair or remove the row that starts with "
          f"{separator.join(cells)[:40]!r}.")


def _rows(path, lines, separator, first, max_record_bp):
  """Yields (line where the row starts, its cells), the header included."""
  longest = max_record_bp + files.LONGEST_HEADER
  csv.field_size_limit(longest)
  line, size = first, 0

  def whole():
    # A quote that is never closed makes one row of all lines behind it.
    nonlocal size
    for text in lines:
      size += len(text) + 1
      if size > longest:
        raise files.too_long(path, line, max_record_bp)
      yield text + "\n"
  if separator == "\t":
    reader = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
  else:
    # csv needs the line ends to join a quoted cell that runs over several lines.
    reader = csv.reader(whole(), delimiter=separator, strict=True)
  try:
    for cells in reader:
      if separator == "\t" and any(cell[:1] == '"' for cell in cells):
        cells = [_unquoted(cell) for cell in cells]
      yield line, cells
      line, size = first + reader.line_num, 0
  except csv.Error as error:
    raise errors.UserError(
        f"{path}, line {line}: damaged table ({error}). Look for an unpaired quotation "
        "mark in the row that starts here.") from None


def _unquoted(cell):
  if len(cell) > 1 and cell[0] == cell[-1] == '"':
    return cell[1:-1].replace('""', '"')
  return cell


def read_parquet(path, choose, max_record_bp=files.MAX_RECORD_BP):
  """Rows of a Parquet table, a few in memory at a time.

  Args:
    path: the file.
    choose: called once with the column names; returns the wanted ones.
    max_record_bp: letters of the longest cell.

  Yields:
    (row number from 1, list of the wanted cells as text, "" for null).

  Raises:
    UserError: the file is damaged, or a wanted column holds no text.
  """
  import pyarrow as pa
  from pyarrow import parquet

  with (files.open_binary(path) as file, files.explain_damage(path),
        tempfile.TemporaryFile() as plain):
    if not isinstance(file.raw, io.FileIO):         # compressed once more
      files.unpack(path, file, plain)               # Parquet is read from its end
      file = plain
    row = 0
    try:
      table = parquet.ParquetFile(file)
      wanted = list(choose(table.schema_arrow.names))
      for name in wanted:
        _check_type(path, name, table.schema_arrow.field(name).type)
      for batch in table.iter_batches(_BATCH, columns=list(dict.fromkeys(wanted))):
        columns = [batch.column(name).to_pylist() for name in wanted]
        for cells in zip(*columns, strict=True):
          row += 1
          cells = [_text(cell) for cell in cells]
          if max(map(len, cells)) > max_record_bp:
            raise files.too_long(path, row, max_record_bp)
          yield row, cells
    # Damage shows as any of these; no-data errors of Python's own are among them.
    except (pa.ArrowException, ValueError, OverflowError, OSError, KeyError, IndexError,
            TypeError, NotImplementedError, MemoryError) as error:
      where = f", in the {_BATCH} rows after row {row}" if row else ""
      raise errors.UserError(
          f"{path}{where}: damaged Parquet file ({_first_line(error)}). Fetch the file "
          "again.") from None


def _check_type(path, name, type_):
  from pyarrow import types

  if types.is_dictionary(type_):
    type_ = type_.value_type
  is_text = (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary,
             types.is_integer, types.is_floating, types.is_boolean, types.is_null)
  if not any(is_kind(type_) for is_kind in is_text):
    raise errors.UserError(
        f"{path}: column {name!r} holds {_first_line(type_)}, and text is needed. Choose "
        "another column (--columns), or export it as text.")


def _first_line(what):
  return (str(what).splitlines() or [type(what).__name__])[0][:120]


def _text(cell):
  if cell is None:
    return ""
  text = cell.decode("utf-8") if isinstance(cell, bytes) else str(cell)
  if "\0" in text:
    raise ValueError("a NUL byte in a cell")
  return text
