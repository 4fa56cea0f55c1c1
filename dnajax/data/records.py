"""Records of a prepared data set, by number.

The ArrayRecord files are read once and unpacked into flat columns (base codes,
starts, label ids) that are memory-mapped from then on: a random batch of 660-bp
records then costs a gather, not 128 seeks and protocol-buffer parses (ArrayRecord
alone delivers about 33,000 records/s on 2 cores, columns more than ten times as
many), and many processes share one copy in the page cache.
"""

import functools
import json
import os
import pathlib
import shutil
import tempfile

import numpy as np

from dnajax import bases as base_codes
from dnajax import errors

_CHUNK = 4096  # records unpacked at a time


def find(data_dir, name):
  """Directory of the newest version of data set `name`, a pathlib.Path.

  Raises:
    UserError: there is none; names the command that prepares it.
  """
  folder = pathlib.Path(data_dir) / name
  versions = sorted(
      (path.parent for path in folder.glob("*/dataset_summary.json")),
      key=lambda path: [int(x) if x.isdigit() else 0
                        for x in path.name.split(".")])
  if not versions:
    dataset, _, config_name = name.partition("/")
    known = sorted({str(path.parent.parent.relative_to(data_dir)) for path in
                    pathlib.Path(data_dir).glob("**/dataset_summary.json")})
    what = "--input=YOUR_FILE " if not dataset.startswith("simulated_") else ""
    raise errors.UserError(
        f"No prepared data set {name!r} in {data_dir} (config.data.dir, "
        f"config.data.name). Prepare it with: python -m data_pipelines.prepare "
        f"--dataset={dataset} {what}--data_dir={data_dir}"
        + (f" --name={config_name}" if config_name else "")
        + (f". Prepared there: {', '.join(known)}." if known else ""))
  return versions[-1]


def open_split(directory, split):
  """The records of one split.

  Args:
    directory: a version directory, see `find`.
    split: name of the split.

  Returns:
    A Split.

  Raises:
    UserError: the split does not exist or the files are damaged.
  """
  directory = pathlib.Path(directory)
  summary = _summary(directory)
  if split not in summary["splits"]:
    raise errors.UserError(
        f"{directory} has no split {split!r}. It has: "
        f"{', '.join(summary['splits'])}.")
  return Split(directory, split, summary)


class Split:
  """N records of one split; access by number in any order."""

  def __init__(self, directory, split, summary):
    self.name = split
    self.num_records = summary["splits"][split]["num_records"]
    self.fingerprint = summary["fingerprint"]
    self.ranks = tuple(summary["ranks"])
    self._directory = directory

  @functools.cached_property
  def _columns(self):
    return _open_columns(self._directory, self)

  def bases(self, ids, length):
    """Base codes of some records, cut or padded at the right.

    Args:
      ids: [n] record numbers.
      length: base pairs per row (bp).

    Returns:
      [n, bp] uint8, see `dnajax.bases`.
    """
    starts, codes = self._columns["starts"], self._columns["codes"]
    first, last = starts[ids], starts[np.asarray(ids) + 1]
    out = np.full((len(ids), length), base_codes.PAD, np.uint8)
    for row, a, b in zip(out, first.tolist(), last.tolist(), strict=True):
      size = min(b - a, length)
      row[:size] = codes[a:a + size]
    return out

  def labels(self, rank):
    """Label id of every record, [N] int32; -1 where absent."""
    if rank not in self.ranks:
      raise errors.UserError(
          f"{self._directory} has no labels of rank {rank!r}. It has: "
          f"{', '.join(self.ranks)}.")
    return np.asarray(self._columns[rank])

  def vocabulary(self, rank):
    """Names of the labels of a rank, in the order of their ids."""
    text = (self._directory / "labels" / f"{rank}.txt").read_text("utf-8")
    return text.splitlines()


def _summary(directory):
  try:
    return json.loads((directory / "dataset_summary.json").read_text("utf-8"))
  except (OSError, ValueError) as error:
    raise errors.UserError(
        f"Cannot read {directory / 'dataset_summary.json'}: {error}. Prepare "
        "the data set again with --overwrite.") from error


def _open_columns(directory, split):
  """Memory-maps the columns of a split; unpacks them first if necessary."""
  names = ["codes", "starts", *split.ranks]
  for folder in _column_folders(directory, split):
    if (folder / "complete").exists():
      break
    if _unpack(directory, split, folder):
      break
  else:
    raise errors.UserError(
        f"Neither {directory} nor {tempfile.gettempdir()} can be written: no "
        "room for the unpacked columns of the data set.")
  return {name: np.load(folder / f"{name}.npy", mmap_mode="r")
          for name in names}


def _column_folders(directory, split):
  """Where columns may lie: beside the data, or if that is read-only, in tmp."""
  name = f"{split.name}-{split.fingerprint[:16]}"
  return [directory / "columns" / name,
          pathlib.Path(tempfile.gettempdir()) / f"dnajax-columns-{os.getuid()}"
          / name]


def _unpack(directory, split, folder):
  """Writes the columns into a temporary folder, then renames it to `folder`."""
  try:
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = pathlib.Path(tempfile.mkdtemp(dir=folder.parent))
  except OSError:
    return False
  try:
    _write_columns(directory, split, temporary)
    (temporary / "complete").touch()
    try:
      temporary.rename(folder)
    except OSError:  # another process was faster
      if not (folder / "complete").exists():
        raise
  finally:
    shutil.rmtree(temporary, ignore_errors=True)
  return True


def _write_columns(directory, split, folder):
  import tensorflow_datasets as tfds  # slow to import, needed once per split

  builder = tfds.builder_from_directory(directory)
  source = builder.as_data_source(split.name)
  if len(source) != split.num_records:
    raise errors.UserError(
        f"{directory}: split {split.name!r} holds {len(source)} records, the "
        f"summary says {split.num_records}. Prepare the data set again with "
        "--overwrite.")
  # Only the features that are kept: decoding all of them takes four times as long.
  wanted = tfds.features.FeaturesDict({
      name: builder.info.features[name]
      for name in ["bases", *(f"{rank}_id" for rank in split.ranks)]})
  starts = np.zeros(split.num_records + 1, np.int64)
  labels = {rank: np.empty(split.num_records, np.int32) for rank in split.ranks}
  with tempfile.TemporaryFile(dir=folder) as flat:
    for first in range(0, split.num_records, _CHUNK):
      ids = range(first, min(first + _CHUNK, split.num_records))
      for n, raw in zip(ids, source.data_source.__getitems__(list(ids)),
                        strict=True):
        record = wanted.deserialize_example_np(raw)
        codes = base_codes.encode(record["bases"])
        flat.write(codes.tobytes())
        starts[n + 1] = starts[n] + len(codes)
        for rank, column in labels.items():
          column[n] = record[f"{rank}_id"]
    flat.flush()
    codes = np.lib.format.open_memmap(
        folder / "codes.npy", "w+", np.uint8, (int(starts[-1]),))
    flat.seek(0)
    for first in range(0, len(codes), 1 << 24):
      part = np.frombuffer(flat.read(1 << 24), np.uint8)
      codes[first:first + len(part)] = part
    codes.flush()
  np.save(folder / "starts.npy", starts)
  for rank, column in labels.items():
    np.save(folder / f"{rank}.npy", column)
