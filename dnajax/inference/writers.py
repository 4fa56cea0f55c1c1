"""Embeddings to files, row by row in constant memory.

Every writer puts its rows under a temporary name in the folder of the output
and renames when it is complete: a file under the asked name is always whole.
"""

import contextlib
import json
import os
import pathlib
import zipfile

import numpy as np

from dnajax import errors

_ROWS_PER_GROUP = 8192  # of a Parquet file; 25 MB at width 768


@contextlib.contextmanager
def open_writer(path, width, *, overwrite=False, about=None):
  """Writer for the kind of file that the suffix of `path` names.

  Args:
    path: ends in .parquet, .npy, .npz or .tsv. With .npy the ids stand beside
      it, one per line, in the same name with .ids.txt.
    width: D, numbers per embedding.
    overwrite: replace existing files.
    about: dict that says where the numbers come from; kept in .parquet files.

  Yields:
    An object with write(ids [n] str, embeddings [n, D] float32). The files
    appear when the context ends without an exception; otherwise nothing is left.
  """
  path = pathlib.Path(path)
  check_output(path, overwrite=overwrite)
  path.parent.mkdir(parents=True, exist_ok=True)
  targets = [path] + ([ids_path(path)] if path.suffix == ".npy" else [])
  parts = [target.with_name(f".{target.name}.part-{os.getpid()}") for target in targets]
  scratch = path.with_name(f".{path.name}.scratch-{os.getpid()}")
  try:
    if path.suffix == ".parquet":
      writer = _Parquet(parts[0], width, about or {})
    elif path.suffix == ".tsv":
      writer = _Tsv(parts[0], width)
    elif path.suffix == ".npy":
      writer = _Npy(parts[0], parts[1], width)
    else:
      writer = _Npz(parts[0], scratch, width)
    with contextlib.closing(writer):
      yield writer
      writer.finish()
    for part, target in zip(reversed(parts), reversed(targets), strict=True):
      part.replace(target)
  finally:
    for file in [*parts, scratch, scratch.with_suffix(".ids")]:
      file.unlink(missing_ok=True)


def ids_path(path):
  """Where the ids of a .npy file stand."""
  return pathlib.Path(path).with_suffix(".ids.txt")


def check_output(path, *, overwrite):
  """Refuses an unknown suffix, and existing files unless `overwrite`."""
  path = pathlib.Path(path)
  if path.suffix not in (".parquet", ".npy", ".npz", ".tsv"):
    raise errors.UserError(
        f"--output={path}: unknown kind of file {path.suffix!r}. Use a name "
        "that ends in .parquet, .npy, .npz or .tsv.")
  for file in (path, ids_path(path)) if path.suffix == ".npy" else (path,):
    if file.is_dir() or (file.exists() and not overwrite):
      raise errors.UserError(
          f"{file} exists. Choose another --output"
          + ("." if file.is_dir() else " or add --overwrite."))


class _Parquet:
  """Columns `id` (string) and `embedding` (fixed-size list of float32)."""

  def __init__(self, path, width, about):
    import pyarrow as pa
    import pyarrow.parquet as pq
    self._arrow = pa
    self._schema = pa.schema(
        [("id", pa.string()), ("embedding", pa.list_(pa.float32(), width))],
        metadata={"dnajax": json.dumps(about)})
    self._file = pq.ParquetWriter(path, self._schema)
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


class _Tsv:
  """Column `id` and one column per number, enough digits to restore float32."""

  def __init__(self, path, width):
    self._file = open(path, "w", encoding="utf-8")
    self._file.write("\t".join(["id", *(f"e{i}" for i in range(width))]) + "\n")

  def write(self, ids, embeddings):
    for name, row in zip(ids, np.asarray(embeddings, np.float32).tolist(), strict=True):
      numbers = "\t".join(f"{number:.9g}" for number in row)
      self._file.write(f"{_one_line(name)}\t{numbers}\n")

  def finish(self):
    pass

  def close(self):
    self._file.close()


class _Npy:
  """[N, D] float32 in .npy format, and the ids as lines of text."""

  def __init__(self, path, path_of_ids, width):
    self._width = width
    self._num_rows = 0
    self._file = open(path, "wb")
    self._ids = open(path_of_ids, "w", encoding="utf-8")
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


class _Npz:
  """Arrays `embeddings` [N, D] float32 and `ids` [N] unicode, no pickle."""

  def __init__(self, path, scratch, width):
    self._path = path
    self._rows, self._ids = scratch, scratch.with_suffix(".ids")
    self._npy = _Npy(self._rows, self._ids, width)
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


def _one_line(name):
  """An id without the characters that separate lines and columns."""
  return " ".join(name.split()) if any(c in name for c in "\t\n\r") else name
