"""dataset_summary.json, which says what a prepared data set is and how it must look.

It holds checksums (CRC-32, which no flipped bit leaves as they are) of itself, of the
label names and of the columns that records are unpacked into, see `columns`.
"""

import json
import zlib

import numpy as np

from dnajax.shell import errors
from dnajax.tokens import bases as base_codes

NAME = "dataset_summary.json"
_BUFFERED = 4096   # records


def write(directory, values):
  """Writes the summary of a data set, with a checksum of itself.

  Args:
    directory: epath or pathlib.Path of the data set.
    values: dict; "splits" {name: {"num_records", "num_bases", "checksums", …}}, "ranks",
      "label_checksums", "cleaning", "fingerprint", and whatever else there is to know.
  """
  values = {**values, "checksum": _checksum(values)}
  (directory / NAME).write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def read(directory):
  """The summary of a data set as a dict.

  Raises:
    UserError: it cannot be read, is damaged, or is of a version that kept none of this.
  """
  path = directory / NAME
  try:
    values = json.loads(path.read_text(encoding="utf-8"))
    then, is_known = values.pop("checksum", None), "splits" in values
  except (OSError, ValueError, AttributeError) as error:
    raise errors.UserError(f"Cannot read {path}: {error}. {REMEDY}") from error
  if then is None and is_known:
    raise errors.UserError(f"{directory} was prepared by an older version. {REMEDY}")
  if then != _checksum(values):
    raise damaged(path)
  return values


REMEDY = "Prepare the data set again with --overwrite."


def damaged(path, why=""):
  """The UserError for a file of a data set that is not what was written."""
  return errors.UserError(f"{path} is damaged: it is not what was written when the data set "
                          f"was prepared{why}. {REMEDY}")


def changed(directory, then, now):
  """The UserError for a data set that is no longer the one that was opened."""
  return errors.UserError(
      f"{directory} has been prepared again since this run began (fingerprint {then[:12]}, now "
      f"{now[:12]}). Bring the old data back, or prepare the new one under another name.")


def crc(content, start=0):
  """CRC-32 of bytes or of a numpy array's bytes, going on from `start`."""
  return zlib.crc32(content, start)


def _checksum(values):
  return crc(json.dumps(values, sort_keys=True).encode())


class ColumnChecksums:
  """Checksums of the columns of a split, from its records in order."""

  def __init__(self, ranks):
    """ranks: names of the label columns."""
    self._ranks = tuple(ranks)
    self._crc = {"codes": 0, "starts": crc(np.zeros(1, "<i8")), **dict.fromkeys(ranks, 0)}
    self._end, self._codes, self._starts = 0, [], []
    self._labels = {rank: [] for rank in ranks}

  def add(self, record):
    """record: dict with "bases" and a <rank>_id for every rank."""
    codes = base_codes.encode(record["bases"])
    self._end += len(codes)
    self._codes.append(codes.tobytes())
    self._starts.append(self._end)
    for rank, ids in self._labels.items():
      ids.append(record[f"{rank}_id"])
    if len(self._starts) == _BUFFERED:
      self._flush()

  def values(self):
    """{column: checksum} of all records so far."""
    self._flush()
    return dict(self._crc)

  def _flush(self):
    self._update("codes", b"".join(self._codes))
    self._update("starts", np.array(self._starts, "<i8"))
    for rank, ids in self._labels.items():
      self._update(rank, np.array(ids, "<i4"))
    self._codes, self._starts = [], []
    self._labels = {rank: [] for rank in self._ranks}

  def _update(self, name, content):
    self._crc[name] = crc(content, self._crc[name])
