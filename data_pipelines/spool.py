"""Kept records on disk between cleaning and writing, in constant memory.

Whether a record is kept is known after one pass over the input; its label ids
are known only after the last record, because vocabularies are sorted. Between
the two lies one Arrow file per split with labels numbered as they came.
"""

import collections
import dataclasses
import pathlib
import re

import numpy as np
import pyarrow as pa

from data_pipelines import cleaning
from dnajax.shell import errors

_BATCH = 4096
_MOST_SPLITS = 64             # open files; a column with more values is no split column


@dataclasses.dataclass
class SplitStatistics:
  """Counts of the records of a split; lengths in base pairs.

  num_ambiguous: letters that are IUPAC ambiguity codes other than N.
  """
  num_records: int = 0
  num_bases: int = 0
  min_length: int = 0
  max_length: int = 0
  num_ambiguous: int = 0

  def add(self, bases):
    """Counts a record."""
    length = len(bases)
    self.num_ambiguous += cleaning.num_ambiguous(bases)
    self.min_length = length if not self.num_records else min(self.min_length, length)
    self.max_length = max(self.max_length, length)
    self.num_records += 1
    self.num_bases += length


def check_split(split, splits):
  """UserError if a further split cannot have this name. splits: those there are."""
  if not re.fullmatch(r"[A-Za-z_]\w*", split, re.ASCII) or split.lower() == "all":
    raise errors.UserError(
        f"{split[:80]!r} cannot be the name of a split: letters, digits and _ only, and not "
        "'all'. Is this really the split column?")
  if len(splits) == _MOST_SPLITS:
    raise errors.UserError(
        f"The split column has more than {_MOST_SPLITS} values ({', '.join(splits)[:80]}...). "
        "Is this really the split column?")


class Spool:
  """Append with `add`, then `finish`, then read with `examples`."""

  def __init__(self, directory, ranks):
    """directory: a new folder. ranks: names of the labels of every record."""
    self.ranks = tuple(ranks)
    self.splits = {}                                  # name -> SplitStatistics
    self.vocabularies = {}                            # rank -> sorted names
    self._directory = pathlib.Path(directory)
    self._directory.mkdir()
    self._schema = pa.schema([("id", pa.string()), ("bases", pa.string()),
                              *((rank, pa.int32()) for rank in self.ranks)])
    self._numbers = {rank: {"": -1} for rank in self.ranks}   # name -> as they came
    self._writers, self._rows = {}, collections.defaultdict(list)

  def add(self, split, record_id, bases, labels):
    """Appends a record. labels: one name per rank, "" if absent."""
    if split not in self.splits:
      self._open(split)
    self.splits[split].add(bases)
    rows = self._rows[split]
    rows.append((record_id, bases, *(
        numbers.setdefault(name, len(numbers) - 1)
        for numbers, name in zip(self._numbers.values(), labels, strict=True))))
    if len(rows) == _BATCH:
      self._flush(split)

  def _open(self, split):
    check_split(split, self.splits)
    self.splits[split] = SplitStatistics()
    # A number, not the name: two names may differ in case only.
    path = self._directory / f"{len(self.splits)}.arrow"
    self._writers[split] = (path, pa.ipc.new_file(str(path), self._schema))

  def _flush(self, split):
    columns = zip(*self._rows.pop(split), strict=True)
    self._writers[split][1].write_batch(pa.record_batch(
        [pa.array(column, field.type)
         for column, field in zip(columns, self._schema, strict=True)],
        schema=self._schema))

  def finish(self):
    """Ends appending and sorts the vocabularies."""
    for split in list(self._rows):
      self._flush(split)
    for _, writer in self._writers.values():
      writer.close()
    self._final = {}
    for rank, numbers in self._numbers.items():
      names = list(numbers)[1:]                               # without ""
      order = sorted(range(len(names)), key=names.__getitem__)
      self.vocabularies[rank] = [names[i] for i in order]
      self._final[rank] = np.append(np.argsort(order), -1)    # number -1 stays -1
    self._numbers = None

  def num_batches(self, split):
    """How many batches `examples` can be asked for."""
    return -(-self.splits[split].num_records // _BATCH)

  def examples(self, split, first_batch, last_batch):
    """Yields records of batches first_batch .. last_batch - 1 as dicts: id, bases,
    and per rank its name ("" if absent) and <rank>_id (-1 if absent)."""
    path, _ = self._writers[split]
    names = [[*self.vocabularies[rank], ""] for rank in self.ranks]   # [-1] is ""
    id_keys = [f"{rank}_id" for rank in self.ranks]
    with pa.memory_map(str(path)) as file:
      reader = pa.ipc.open_file(file)
      for number in range(first_batch, min(last_batch, reader.num_record_batches)):
        batch = reader.get_batch(number)
        labels = [self._final[rank][batch.column(rank).to_numpy()].astype(int).tolist()
                  for rank in self.ranks]
        for record_id, bases, *ids in zip(batch.column("id").to_pylist(),
                                          batch.column("bases").to_pylist(), *labels,
                                          strict=True):
          example = {"id": record_id, "bases": bases}
          for rank, key, table, i in zip(self.ranks, id_keys, names, ids, strict=True):
            example[rank], example[key] = table[i], i
          yield example
