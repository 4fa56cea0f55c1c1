"""TSV, CSV and Parquet with named columns -> rows; errors carry file and line."""

import csv
import io
import itertools
import operator
import shutil
import tempfile

from data_pipelines import files
from dnajax.shell import errors

_LONGEST_CELL = 1 << 26       # a quote that is never closed must not eat the memory
_BATCH = 4096                 # Parquet rows in memory at a time


def read_text(path, choose):
  """Rows of a table of text whose first line names the columns.

  The separator is the first of tab, comma and semicolon that the header line
  has. Cells of a CSV may be quoted and hold line ends. In a TSV a quotation
  mark is an ordinary character, unless the pair encloses the whole cell.

  Args:
    path: the file.
    choose: called once with the column names; returns the wanted ones.

  Yields:
    (line where the row starts, list of the wanted cells).

  Raises:
    UserError: a row has more or fewer cells than the header; with the line.
  """
  numbered = files.lines(path)
  first, header = next((pair for pair in numbered if pair[1].strip()), (1, None))
  if header is None:
    raise errors.UserError(f"{path} holds nothing but blanks. Export it again.")
  separator = next((s for s in "\t,;" if s in header), "\t")
  lines = itertools.chain([header], (line for _, line in numbered))
  rows = _rows(path, lines, separator, first)
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


def _rows(path, lines, separator, first):
  """Yields (line where the row starts, its cells), the header included."""
  csv.field_size_limit(_LONGEST_CELL)
  if separator == "\t":
    reader = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
  else:
    # csv needs the line ends to join a quoted cell that runs over several lines.
    reader = csv.reader((line + "\n" for line in lines), delimiter=separator, strict=True)
  line = first
  try:
    for cells in reader:
      if separator == "\t" and any(cell[:1] == '"' for cell in cells):
        cells = [_unquoted(cell) for cell in cells]
      yield line, cells
      line = first + reader.line_num
  except csv.Error as error:
    raise errors.UserError(
        f"{path}, line {line}: damaged table ({error}). Look for an unpaired quotation "
        "mark in the row that starts here.") from None


def _unquoted(cell):
  if len(cell) > 1 and cell[0] == cell[-1] == '"':
    return cell[1:-1].replace('""', '"')
  return cell


def read_parquet(path, choose):
  """Rows of a Parquet table, a few thousand in memory at a time.

  Args:
    path: the file.
    choose: called once with the column names; returns the wanted ones.

  Yields:
    (row number from 1, list of the wanted cells as text, "" for null).

  Raises:
    UserError: the file is damaged.
  """
  import pyarrow as pa
  from pyarrow import parquet

  with (files.open_binary(path) as file, files.explain_damage(path),
        tempfile.TemporaryFile() as plain):
    if not isinstance(file.raw, io.FileIO):         # compressed once more
      shutil.copyfileobj(file, plain)               # Parquet is read from its end
      file = plain
    try:
      table = parquet.ParquetFile(file)
      wanted = list(choose(table.schema_arrow.names))
      row = 0
      for batch in table.iter_batches(_BATCH, columns=list(dict.fromkeys(wanted))):
        columns = [[_text(cell) for cell in batch.column(name).to_pylist()]
                   for name in wanted]
        for cells in zip(*columns, strict=True):
          row += 1
          yield row, cells
    except pa.ArrowException as error:
      raise errors.UserError(
          f"{path}: damaged Parquet file ({str(error).splitlines()[0]}). "
          "Fetch the file again.") from None


def _text(cell):
  if cell is None:
    return ""
  return cell.decode("utf-8", "replace") if isinstance(cell, bytes) else str(cell)
