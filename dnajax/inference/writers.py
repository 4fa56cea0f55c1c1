"""Embeddings to files, row by row in constant memory.

Every writer puts its rows under a temporary name and is renamed when it is complete: a
file under the asked name is always whole. A new format is a class with the methods of
`Writer`, and a line of WRITERS.
"""

import contextlib
import json
import os
import pathlib
import tempfile
import zipfile

import numpy as np
from etils import epath

from dnajax.shell import errors, files

_ROWS_PER_GROUP = 8192  # of a Parquet file; 25 MB at width 768


@contextlib.contextmanager
def open_writer(path, width, *, overwrite=False, about=None):
  """Writer for the kind of file that the suffix of `path` names.

  Args:
    path: its suffix is one of WRITERS; may be gs://… or s3://….
    width: D, numbers per embedding.
    overwrite: replace existing files.
    about: dict that says where the numbers come from; kept in .parquet files.

  Yields:
    A `Writer`. The files appear when the context ends without an exception; otherwise
    nothing is left.
  """
  targets = check_output(path, overwrite=overwrite)
  with _folder(targets[0]) as folder:
    parts = [folder / f".{target.name}.part-{os.getpid()}" for target in targets]
    try:
      with contextlib.closing(WRITERS[targets[0].suffix](parts, width, about or {})) as writer:
        yield writer
        writer.finish()
      for part, target in zip(reversed(parts), reversed(targets), strict=True):
        if files.is_remote(target):
          epath.Path(part).copy(target, overwrite=True)
        else:
          part.replace(target)
    finally:
      for part in parts:
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def _folder(target):
  """Where the temporary files lie: beside the target, or for a store on this machine."""
  if files.is_remote(target):
    with tempfile.TemporaryDirectory() as folder:
      yield pathlib.Path(folder)
  else:
    target.parent.mkdir(parents=True, exist_ok=True)
    yield pathlib.Path(target.parent)


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


def check_output(path, *, overwrite):
  """`targets_of` a path; refuses existing ones unless `overwrite`."""
  targets = targets_of(path)
  for file in targets:
    if file.is_dir() or (file.exists() and not overwrite):
      raise errors.UserError(
          f"{file} exists. Choose another --output"
          + ("." if file.is_dir() else " or add --overwrite."))
  return targets


class Writer:
  """Writes rows to the first of its files, and what belongs to them to the others."""

  @staticmethod
  def beside(path):
    """The other files of an output, a tuple of paths."""
    del path
    return ()

  def __init__(self, paths, width, about):
    """paths: of the output and of `beside`. width, about: see `open_writer`."""

  def write(self, ids, embeddings):
    """ids: [n] str; embeddings: [n, D] float32."""
    raise NotImplementedError

  def finish(self):
    """Called once after the last row, unless something went wrong."""

  def close(self):
    """Called once at the end, whatever happened."""


class Parquet(Writer):
  """Columns `id` (string) and `embedding` (fixed-size list of float32)."""

  def __init__(self, paths, width, about):
    import pyarrow as pa
    import pyarrow.parquet as pq
    self._arrow = pa
    self._schema = pa.schema(
        [("id", pa.string()), ("embedding", pa.list_(pa.float32(), width))],
        metadata={"dnajax": json.dumps(about)})
    self._file = pq.ParquetWriter(paths[0], self._schema)
    self._ids, self._rows = [], []

  def write(self, ids, embeddings):
    self._ids.extend(ids)
    self._rows.append(np.asarray(embeddings, np.float32))
    if len(self._ids) >= _ROWS_PER_GROUP:
      self._flush()

  def _flush(self):
    if not self._ids:
      return
    flat = self._arrow.array(np.concatenate(self._rows).reshape(-1))
    width = self._schema.field("embedding").type.list_size
    table = self._arrow.table(
        [self._arrow.array(self._ids, self._arrow.string()),
         self._arrow.FixedSizeListArray.from_arrays(flat, width)],
        schema=self._schema)
    self._file.write_table(table)
    self._ids, self._rows = [], []

  def finish(self):
    self._flush()

  def close(self):
    self._file.close()


class Tsv(Writer):
  """Column `id` and one column per number, enough digits to restore float32."""

  def __init__(self, paths, width, about):
    self._file = open(paths[0], "w", encoding="utf-8")
    self._file.write("\t".join(["id", *(f"e{i}" for i in range(width))]) + "\n")

  def write(self, ids, embeddings):
    for name, row in zip(ids, np.asarray(embeddings, np.float32).tolist(), strict=True):
      numbers = "\t".join(f"{number:.9g}" for number in row)
      self._file.write(f"{_one_line(name)}\t{numbers}\n")

  def close(self):
    self._file.close()


class Npy(Writer):
  """[N, D] float32 in .npy format, and the ids as lines of text."""

  @staticmethod
  def beside(path):
    """The ids."""
    return (path.with_suffix(".ids.txt"),)

  def __init__(self, paths, width, about):
    self._width = width
    self._num_rows = 0
    self._file = open(paths[0], "wb")
    self._ids = open(paths[1], "w", encoding="utf-8")
    self._write_header()
    self._start = self._file.tell()

  def _write_header(self):
    # NumPy leaves room in the header for the first axis to grow, so that it
    # can be written again when the number of rows is known.
    np.lib.format.write_array_header_1_0(self._file, {
        "descr": np.lib.format.dtype_to_descr(np.dtype(np.float32)),
        "fortran_order": False, "shape": (self._num_rows, self._width)})

  def write(self, ids, embeddings):
    rows = np.ascontiguousarray(embeddings, np.float32)
    self._file.write(rows.tobytes())
    self._ids.writelines(f"{_one_line(name)}\n" for name in ids)
    self._num_rows += len(rows)

  def finish(self):
    self._file.seek(0)
    self._write_header()
    if self._file.tell() != self._start:
      raise RuntimeError("The .npy header has changed its length.")

  def close(self):
    self._file.close()
    self._ids.close()


class Npz(Writer):
  """Arrays `embeddings` [N, D] float32 and `ids` [N] unicode, no pickle."""

  def __init__(self, paths, width, about):
    self._path = paths[0]
    self._rows, self._ids = (self._path.with_name(self._path.name + end)
                             for end in (".rows", ".ids"))
    self._npy = Npy((self._rows, self._ids), width, about)
    self._longest = 1
    self._num_rows = 0

  def write(self, ids, embeddings):
    self._npy.write(ids, embeddings)
    self._longest = max([self._longest, *map(len, ids)])
    self._num_rows += len(ids)

  def finish(self):
    self._npy.finish()
    self._npy.close()
    dtype = np.dtype(f"<U{self._longest}")
    with zipfile.ZipFile(self._path, "w", zipfile.ZIP_STORED) as archive:
      archive.write(self._rows, "embeddings.npy")
      with (archive.open("ids.npy", "w", force_zip64=True) as out,
            open(self._ids, encoding="utf-8", newline="\n") as lines):
        np.lib.format.write_array_header_1_0(out, {
            "descr": dtype.str, "fortran_order": False, "shape": (self._num_rows,)})
        for line in lines:
          out.write(np.array([line.rstrip("\n")], dtype).tobytes())

  def close(self):
    self._npy.close()
    for file in (self._rows, self._ids):
      file.unlink(missing_ok=True)


WRITERS = {".parquet": Parquet, ".npy": Npy, ".npz": Npz, ".tsv": Tsv}   # by suffix


def in_words():
  """The suffixes of all formats, for help texts and messages."""
  *first, last = WRITERS
  return f"{', '.join(first)} or {last}"


def _one_line(name):
  """An id without the characters that separate lines and columns."""
  return " ".join(name.split()) if any(c in name for c in "\t\n\r") else name
