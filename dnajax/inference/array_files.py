"""Embeddings as arrays: NumPy's files, and AnnData."""

import importlib.util
import json
import warnings
import zipfile

import numpy as np

from dnajax.inference.writer import Writer, one_line
from dnajax.shell import errors


class Npy(Writer):
  """[N, D] in .npy format, and the ids as lines of text; no other column."""

  @staticmethod
  def beside(path):
    """The ids."""
    return (path.with_suffix(".ids.txt"),)

  def __init__(self, paths, layout):
    self._width, self._dtype = layout.width, np.dtype(layout.dtype)
    self._num_rows = 0
    self._file = open(paths[0], "wb")
    self._ids = open(paths[1], "w", encoding="utf-8")
    self._write_header()
    self._start = self._file.tell()

  def _write_header(self):
    # NumPy leaves room in the header for the first axis to grow, so that it
    # can be written again when the number of rows is known.
    np.lib.format.write_array_header_1_0(self._file, {
        "descr": np.lib.format.dtype_to_descr(self._dtype),
        "fortran_order": False, "shape": (self._num_rows, self._width)})

  def write(self, ids, embeddings, fields=()):
    self.write_rows(embeddings)
    self._ids.writelines(f"{one_line(name)}\n" for name in ids)

  def write_rows(self, embeddings):
    """Adds rows [n, D] without ids."""
    rows = np.ascontiguousarray(embeddings).astype(self._dtype, copy=False)
    self._file.write(rows.tobytes())
    self._num_rows += len(rows)

  def finish(self):
    self._file.seek(0)
    self._write_header()
    if self._file.tell() != self._start:
      raise RuntimeError("The .npy header has changed its length.")

  def close(self):
    self._file.close()
    self._ids.close()


class _Collected(Writer):
  """What can be put into one file when all rows are known: they wait beside it."""

  def __init__(self, paths, layout):
    self._path, self._layout = paths[0], layout
    self._rows, self._ids = (self._path.with_name(self._path.name + end)
                             for end in (".rows", ".ids"))
    self._texts = [self._path.with_name(f"{self._path.name}.column{n}")
                   for n in range(len(layout.columns))]
    self._npy = Npy((self._rows, self._ids), layout)
    self._columns = [open(path, "w", encoding="utf-8") for path in self._texts]

  def write(self, ids, embeddings, fields=()):
    if self._layout.is_per_token:
      for rows in embeddings:
        self._npy.write_rows(rows)
      embeddings = np.zeros((0, self._layout.width), np.float32)
    self._npy.write(ids, embeddings)
    for name, file in zip(self._layout.columns, self._columns, strict=True):
      file.writelines(f"{one_line(of_row.get(name, ''))}\n"
                      for of_row in fields or [{}] * len(ids))

  def finish(self):
    self._npy.finish()
    self._npy.close()
    for file in self._columns:
      file.close()

  def close(self):
    self._npy.close()
    for file in self._columns:
      file.close()
    for path in (self._rows, self._ids, *self._texts):
      path.unlink(missing_ok=True)


class Npz(_Collected):
  """Arrays `embeddings` [N, D], `ids` [N] and one for each column of the input, no pickle.

  Of tokens, `embeddings` has the rows of all sequences, and those of sequence i are
  offsets[i] … offsets[i+1].
  """
  has_tokens = True

  def __init__(self, paths, layout):
    super().__init__(paths, layout)
    self._offsets = [0]

  def write(self, ids, embeddings, fields=()):
    super().write(ids, embeddings, fields)
    if self._layout.is_per_token:
      for rows in embeddings:
        self._offsets.append(self._offsets[-1] + len(rows))

  def finish(self):
    super().finish()
    with zipfile.ZipFile(self._path, "w", zipfile.ZIP_STORED) as archive:
      archive.write(self._rows, "embeddings.npy")
      for name, path in zip(("ids", *self._layout.columns), (self._ids, *self._texts),
                            strict=True):
        with archive.open(f"{name}.npy", "w", force_zip64=True) as out:
          _write_texts(out, path)
      if self._layout.is_per_token:
        with archive.open("offsets.npy", "w", force_zip64=True) as out:
          np.save(out, np.array(self._offsets, np.int64), allow_pickle=False)


class H5ad(_Collected):
  """An AnnData: `X` [N, D], the ids as names of `obs`, its columns, `uns["dnajax"]`."""

  @staticmethod
  def check():
    if importlib.util.find_spec("anndata") is None:
      raise errors.UserError("An output that ends in .h5ad needs the package anndata; install "
                             "it with: pip install 'dnajax[h5ad]'")

  def finish(self):
    super().finish()
    import anndata
    import pandas
    obs = pandas.DataFrame(
        {name: _lines(path) for name, path in
         zip(self._layout.columns, self._texts, strict=True)},
        index=pandas.Index(_lines(self._ids), name="id"))
    with warnings.catch_warnings():
      warnings.simplefilter("ignore")          # ids that occur twice are the user's own
      # Mapped, so that the rows are never all in memory.
      table = anndata.AnnData(X=np.load(self._rows, mmap_mode="r").view(np.ndarray), obs=obs,
                              uns={"dnajax": json.dumps(self._layout.about)})
      whole = self._path.with_name(self._path.name + ".whole")
      table.write_h5ad(whole)
    whole.replace(self._path)    # HDF5 wants a lock of its own on what it writes


def _lines(path):
  with open(path, encoding="utf-8", newline="\n") as file:
    return [line.rstrip("\n") for line in file]


def _write_texts(out, path):
  """Lines of a file as an array of unicode, one at a time."""
  longest, number = 1, 0
  with open(path, encoding="utf-8", newline="\n") as lines:
    for number, line in enumerate(lines, 1):  # noqa: B007
      longest = max(longest, len(line) - 1)
  dtype = np.dtype(f"<U{longest}")
  np.lib.format.write_array_header_1_0(out, {
      "descr": dtype.str, "fortran_order": False, "shape": (number,)})
  with open(path, encoding="utf-8", newline="\n") as lines:
    for line in lines:
      out.write(np.array([line.rstrip("\n")], dtype).tobytes())
