"""Embeddings to files, row by row in constant memory.

Every writer puts its rows under a temporary name and is renamed when it is complete: a
file under the asked name is always whole. A new format is a class with the methods of
`Writer`, and a line of WRITERS.
"""

import contextlib
import json

import numpy as np

from dnajax.inference import array_files, part_files
from dnajax.inference.writer import Layout, Writer, one_line
from dnajax.shell import errors, files

_ROWS_PER_GROUP = 8192  # of a Parquet file; 25 MB at width 768


@contextlib.contextmanager
def open_writer(path, layout, *, overwrite=False):
  """Writer for the kind of file that the suffix of `path` names.

  Args:
    path: its suffix is one of WRITERS; may be gs://… or s3://….
    layout: a `Layout`, or D, numbers per embedding.
    overwrite: replace existing files.

  Yields:
    A `Writer`. The files appear when the context ends without an exception; otherwise
    nothing is left.

  Raises:
    UserError: as of `check_output`, or another process is writing this output.
  """
  layout = Layout(layout) if isinstance(layout, int) else layout
  targets = check_output(path, overwrite=overwrite, layout=layout)
  kind = WRITERS[targets[0].suffix]
  with part_files.open_parts(targets) as parts:
    with contextlib.closing(kind(parts, layout)) as writer:
      yield writer
      writer.finish()


def targets_of(path):
  """The files that make up an output, the one of this name first.

  Raises:
    UserError: no format has this suffix.
  """
  path = files.path(path)
  if path.suffix not in WRITERS:
    raise errors.UserError(
        f"--output={path}: unknown kind of file {path.suffix!r}. Use a name "
        f"that ends in {in_words()}.")
  return [path, *WRITERS[path.suffix].beside(path)]


def check_output(path, *, overwrite, layout=None):
  """`targets_of` a path; refuses existing ones unless `overwrite`, and what the kind of
  file cannot hold or lacks a package for."""
  targets = targets_of(path)
  for file in targets:
    if file.is_dir() or (file.exists() and not overwrite):
      raise errors.UserError(
          f"{file} exists. Choose another --output"
          + ("." if file.is_dir() else " or add --overwrite."))
  kind = WRITERS[targets[0].suffix]
  kind.check()
  if layout is not None and layout.is_per_token and not kind.has_tokens:
    raise errors.UserError(f"{path}: --pooling=tokens needs a name that ends in "
                           f"{in_words(lambda one: one.has_tokens)}.")
  return targets


class Parquet(Writer):
  """Columns `id` (string), those of the input, and `embedding`: a fixed-size list of
  numbers; of tokens, a list of such lists."""
  has_tokens = True

  def __init__(self, paths, layout):
    import pyarrow as pa
    import pyarrow.parquet as pq
    self._arrow, self._layout = pa, layout
    number = pa.float16() if layout.dtype == "float16" else pa.float32()
    self._row = pa.list_(number, layout.width)
    self._schema = pa.schema(
        [("id", pa.string()), *((name, pa.string()) for name in layout.columns),
         ("embedding", pa.list_(self._row) if layout.is_per_token else self._row)],
        metadata={"dnajax": json.dumps(layout.about)})
    self._file = pq.ParquetWriter(paths[0], self._schema)
    self._ids, self._fields, self._rows, self._num_rows = [], [], [], 0

  def write(self, ids, embeddings, fields=()):
    self._ids.extend(map(str, ids))
    self._fields.extend(fields or [{}] * len(ids))
    self._rows.extend(embeddings if self._layout.is_per_token else [embeddings])
    self._num_rows += sum(map(len, embeddings)) if self._layout.is_per_token else len(ids)
    if self._num_rows >= _ROWS_PER_GROUP:
      self._flush()

  def _flush(self):
    if not self._ids:
      return
    pa, layout = self._arrow, self._layout
    flat = np.concatenate(self._rows).astype(layout.dtype, copy=False).reshape(-1)
    rows = pa.FixedSizeListArray.from_arrays(pa.array(flat), type=self._row)
    if layout.is_per_token:
      ends = np.cumsum([0, *map(len, self._rows)], dtype=np.int32)
      rows = pa.ListArray.from_arrays(pa.array(ends), rows)
    columns = [pa.array([fields.get(name) or None for fields in self._fields], pa.string())
               for name in layout.columns]
    self._file.write_table(pa.table(
        [pa.array(self._ids, pa.string()), *columns, rows], schema=self._schema))
    self._ids, self._fields, self._rows, self._num_rows = [], [], [], 0

  def finish(self):
    self._flush()

  def close(self):
    self._file.close()


class Tsv(Writer):
  """Column `id`, those of the input, and one per number, enough digits to restore it."""

  def __init__(self, paths, layout):
    self._file = open(paths[0], "w", encoding="utf-8")
    self._columns = layout.columns
    self._digits = 5 if layout.dtype == "float16" else 9
    self._dtype = layout.dtype
    names = [*layout.columns, *(f"e{i}" for i in range(layout.width))]
    self._file.write("\t".join(["id", *names]) + "\n")

  def write(self, ids, embeddings, fields=()):
    rows = np.asarray(embeddings).astype(self._dtype, copy=False).tolist()
    for name, row, of_row in zip(ids, rows, fields or [{}] * len(ids), strict=True):
      texts = [name, *(of_row.get(column, "") for column in self._columns)]
      numbers = (f"{number:.{self._digits}g}" for number in row)
      self._file.write("\t".join([*map(one_line, texts), *numbers]) + "\n")

  def close(self):
    self._file.close()


WRITERS = {".parquet": Parquet, ".npy": array_files.Npy, ".npz": array_files.Npz,
           ".tsv": Tsv, ".h5ad": array_files.H5ad}   # by suffix


def in_words(is_meant=lambda kind: True):
  """The suffixes of all formats, or of those that are meant, for help texts and messages."""
  *first, last = [suffix for suffix, kind in WRITERS.items() if is_meant(kind)]
  return f"{', '.join(first)} or {last}" if first else last
