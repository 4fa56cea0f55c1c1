"""Records of a prepared data set, by number."""

import functools

import numpy as np
from jaxtyping import Int, Int32, UInt8

from dnajax.data import columns
from dnajax.data import summary as summary_lib
from dnajax.shell import errors, files
from dnajax.tokens import bases as base_codes


def find(data_dir, name):
  """Directory of the newest version of data set `name`, an epath.Path.

  Raises:
    UserError: there is none; names the command that prepares it.
  """
  root = files.path(data_dir)
  versions = sorted(
      (path.parent for path in (root / name).glob(f"*/{summary_lib.NAME}")),
      key=lambda path: [int(x) if x.isdigit() else 0
                        for x in path.name.split(".")])
  if not versions:
    dataset, _, config_name = name.partition("/")
    known = sorted({_relative(path.parent.parent, root)   # NAME/VERSION or KIND/NAME/VERSION
                    for below in ("*/*", "*/*/*")
                    for path in root.glob(f"{below}/{summary_lib.NAME}")})
    what = "--input=YOUR_FILE " if not dataset.startswith("simulated_") else ""
    raise errors.UserError(
        f"No prepared data set {name!r} in {data_dir} (config.data.dir, "
        f"config.data.name). Prepare it with: python -m data_pipelines.prepare "
        f"--dataset={dataset} {what}--data_dir={data_dir}"
        + (f" --name={config_name}" if config_name else "")
        + (f". Prepared there: {', '.join(known)}." if known else ""))
  return versions[-1]


def _relative(path, root):
  return str(path).removeprefix(str(root)).strip("/")


def open_split(directory, split, fingerprint=None):
  """The records of one split.

  Args:
    directory: a version directory, see `find`.
    split: name of the split.
    fingerprint: that the data set must have; None: any.

  Returns:
    A Split.

  Raises:
    UserError: the split does not exist, the summary is damaged, or the data set is another.
  """
  directory = files.path(directory)
  summary = summary_lib.read(directory)
  if fingerprint is not None and summary["fingerprint"] != fingerprint:
    raise summary_lib.changed(directory, fingerprint, summary["fingerprint"])
  if split not in summary["splits"]:
    raise errors.UserError(
        f"{directory} has no split {split!r}. It has: "
        f"{', '.join(summary['splits'])}.")
  return Split(directory, split, summary)


def fixed_sample(num_records, most) -> Int[np.ndarray, " n"]:
  """Numbers of the first `most` of a fixed permutation, increasing; at most all of them.

  The same in every run, whatever its seed: a comparison of seeds must not also be one of
  samples.
  """
  return np.sort(np.random.default_rng(0).permutation(num_records)[:most])


class Split:
  """N records of one split; access by number in any order.

  Attributes:
    name: of the split.
    num_records: N.
    ranks: names of the label columns.
    cleaning: how the sequences were cleaned, dict of data_pipelines.cleaning.Cleaning.
    fingerprint: of all records of the data set.
    directory: of the data set, an epath.Path.
  """

  def __init__(self, directory, split, summary):
    """directory, split: as for `open_split`. summary: of the data set."""
    self.name = split
    self.num_records = summary["splits"][split]["num_records"]
    self.ranks = tuple(summary["ranks"])
    self.cleaning = summary["cleaning"]
    self.fingerprint = summary["fingerprint"]
    self.directory = directory
    self._label_checksums = summary["label_checksums"]

  @functools.cached_property
  def _columns(self):
    return columns.open_columns(self.directory, self.name, self.fingerprint)

  def open(self):
    """Reads and checks everything now; errors as of `bases`."""
    return self._columns

  def bases(self, ids, length: int) -> UInt8[np.ndarray, "n bp"]:
    """Base codes of some records, cut or padded at the right.

    Args:
      ids: [n] record numbers.
      length: base pairs per row (bp).

    Returns:
      [n, bp] uint8, see `dnajax.tokens.bases`.

    Raises:
      UserError: the data set is damaged.
    """
    starts, codes = self._columns["starts"], self._columns["codes"]
    first, last = starts[ids], starts[np.asarray(ids) + 1]
    out = np.full((len(ids), length), base_codes.PAD, np.uint8)
    for row, a, b in zip(out, first.tolist(), last.tolist(), strict=True):
      size = min(b - a, length)
      row[:size] = codes[a:a + size]
    return out

  def labels(self, rank) -> Int32[np.ndarray, " N"]:
    """Label id of every record; -1 where absent.

    Raises:
      UserError: there are no such labels, or the data set is damaged.
    """
    self._check_rank(rank)
    return np.asarray(self._columns[rank])

  def vocabulary(self, rank):
    """Names of the labels of a rank, in the order of their ids; errors as of `labels`."""
    self._check_rank(rank)
    path = self.directory / "labels" / f"{rank}.txt"
    text = path.read_bytes()
    if summary_lib.crc(text) != self._label_checksums[rank]:
      raise summary_lib.damaged(path)
    return text.decode("utf-8").splitlines()

  def _check_rank(self, rank):
    if rank not in self.ranks:
      raise errors.UserError(
          f"{self.directory} has no labels of rank {rank!r}. It has: "
          f"{', '.join(self.ranks)}.")
