"""The columns of a split: base codes, starts and label ids as flat memory-mapped arrays.

The ArrayRecord files are what is stored; columns are a cache of them, made on first use
and deleted without loss. A random batch of 660-bp records then costs a gather, not 128
seeks and protocol-buffer parses (ArrayRecord alone delivers about 33,000 records/s on 2
cores, columns more than ten times as many), and many processes share one copy in the page
cache. They are compared with the checksums of the summary when they are made and whenever
a process opens them (about 1 s per GB), so that no flipped bit of either is ever trained on.
"""

import errno
import functools
import pathlib
import shutil
import tempfile

import numpy as np

from dnajax.data import space
from dnajax.data import summary as summary_lib
from dnajax.shell import errors, files
from dnajax.tokens import bases as base_codes

_CHUNK = 4096    # records unpacked at a time
_BYTES = 1 << 24  # checked at a time


@functools.cache
def open_columns(directory, name, fingerprint):
  """Memory-maps the columns of a split; unpacks them first if necessary.

  Args:
    directory: epath of the data set.
    name: of the split.
    fingerprint: of the data set; another one has other columns.

  Returns:
    {"codes": [bp in total] uint8, "starts": [N + 1] int64, rank: [N] int32}.

  Raises:
    UserError: records or columns are damaged, or there is no room.
  """
  summary = summary_lib.read(directory)
  if summary["fingerprint"] != fingerprint:
    raise summary_lib.changed(directory, fingerprint, summary["fingerprint"])
  for folder in space.folders(directory, f"{name}-{fingerprint[:16]}"):
    if (folder / "complete").exists() or _unpack(directory, name, summary, folder):
      return _checked(folder, summary["splits"][name]["checksums"])
  raise errors.UserError(
      f"Neither {directory} nor {tempfile.gettempdir()} can be written or has "
      f"{summary['splits'][name]['num_bases'] / 2**20:,.0f} MiB of room for the unpacked columns "
      "of the data set. Make room, or set TMPDIR to a place that has it.")


def _checked(folder, checksums):
  """The columns in a folder; UserError if one is not what was written."""
  columns = {}
  for name, then in checksums.items():
    path = folder / f"{name}.npy"
    try:
      column = np.load(path, mmap_mode="r")
    except Exception as error:  # whatever NumPy raises on a damaged header
      raise _damaged(folder, path) from error
    if (column.dtype, column.ndim) != (_dtype(name), 1) or _crc(column) != then:
      raise _damaged(folder, path)
    columns[name] = column
  return columns


def _dtype(name):
  return np.dtype({"codes": np.uint8, "starts": np.int64}.get(name, np.int32))


def _damaged(folder, path):
  return errors.UserError(
      f"{path} is damaged: it is not what was unpacked from the data set. Delete {folder}, "
      "and it will be unpacked again.")


def _crc(column):
  """Checksum of a column, without reading all of it into memory."""
  flat, step = column.reshape(-1), _BYTES // column.itemsize
  out = 0
  for first in range(0, len(flat), step):
    out = summary_lib.crc(np.ascontiguousarray(flat[first:first + step]), out)
  return out


def _unpack(directory, name, summary, folder):
  """Writes the columns into a temporary folder, then renames it to `folder`.

  Returns:
    Whether they are there; False where the place cannot be written.
  """
  try:
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = pathlib.Path(tempfile.mkdtemp(dir=folder.parent))
  except OSError:
    return False
  try:
    made = temporary / "columns"
    made.mkdir()
    about = summary["splits"][name]
    # Of a record its start and the labels of, say, ten ranks; headers.
    if not space.reserve(made / "codes.npy",
                         about["num_bases"] + 50 * about["num_records"] + 1024):
      return False
    source = _local(directory, name, temporary) if files.is_remote(directory) else directory
    _write(source, name, summary, made, shown=directory)
    (made / "complete").touch()
    try:
      made.rename(folder)
    except OSError:  # another process was faster
      if not (folder / "complete").exists():
        raise
  finally:
    shutil.rmtree(temporary, ignore_errors=True)
  return True


def _local(directory, name, temporary):
  """A copy of what is read of a data set in a store: ArrayRecord cannot read there."""
  copy = temporary / "records"
  copy.mkdir()
  for path in directory.iterdir():
    if path.name.endswith(".json") or f"-{name}.array_record" in path.name:
      path.copy(copy / path.name)
  return copy


def _write(directory, name, summary, folder, *, shown):
  """Unpacks a split; UserError if it does not hold what the summary says."""
  about, ranks = summary["splits"][name], summary["ranks"]
  num_records = about["num_records"]
  checksums = summary_lib.ColumnChecksums(ranks)
  codes = _reserved(folder / "codes.npy", about["num_bases"])
  starts = np.zeros(num_records + 1, _dtype("starts"))
  labels = {rank: np.empty(num_records, _dtype(rank)) for rank in ranks}
  what = f"{shown}, split {name!r},"
  try:
    for n, record in enumerate(_records(directory, name, num_records, ranks)):
      end = starts[n] + len(record["bases"])
      starts[n + 1] = end
      codes[starts[n]:end] = base_codes.encode(record["bases"])
      for rank, column in labels.items():
        column[n] = record[f"{rank}_id"]
      checksums.add(record)
  except MemoryError:
    raise
  except OSError as error:
    if error.errno in (None, errno.ENOENT):
      raise summary_lib.damaged(what, f" ({_first_line(error)})") from error
    raise
  except Exception as error:  # whatever TFDS, ArrayRecord and NumPy raise on damaged files
    raise summary_lib.damaged(what, f" ({_first_line(error)})") from error
  wrong = [key for key, then in checksums.values().items() if about["checksums"][key] != then]
  if wrong:
    raise summary_lib.damaged(what, f" (checksum of {', '.join(wrong)})")
  codes.flush()
  for column, values in {"starts": starts, **labels}.items():
    with files.named(folder / f"{column}.npy"):
      np.save(folder / f"{column}.npy", values)


def _reserved(path, num_bases):
  """The memory map of a new codes.npy, in the room that `space.reserve` has taken."""
  header = {"descr": "|u1", "fortran_order": False, "shape": (num_bases,)}
  with open(path, "r+b") as file:
    np.lib.format.write_array_header_1_0(file, header)
    start = file.tell()
    file.truncate(start + num_bases)
  return np.memmap(path, np.uint8, "r+", start, (num_bases,))


def _records(directory, name, num_records, ranks):
  """Yields the records of a split in order, dicts of what columns are made of."""
  import tensorflow_datasets as tfds  # slow to import, needed once per split

  builder = tfds.builder_from_directory(directory)
  source = builder.as_data_source(name)
  if len(source) != num_records:
    raise ValueError(f"{len(source)} records, not {num_records}")
  # Only the features that are kept: decoding all of them takes four times as long.
  wanted = tfds.features.FeaturesDict({
      feature: builder.info.features[feature]
      for feature in ["bases", *(f"{rank}_id" for rank in ranks)]})
  for first in range(0, num_records, _CHUNK):
    ids = range(first, min(first + _CHUNK, num_records))
    for raw in source.data_source.__getitems__(list(ids)):
      yield wanted.deserialize_example_np(raw)


def _first_line(error):
  lines = str(error).strip().splitlines()
  return lines[0][:200] if lines else type(error).__name__
