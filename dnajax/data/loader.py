"""Batch n as a function of (seed, n); finite padded batches for evaluation."""

import grain
import numpy as np

from dnajax.data import balance as balance_lib

_PLAIN = balance_lib.Balance()


class TrainBatches:
  """Endless shuffled batches of a split.

  Batch n holds the same records whatever the number of processes, workers or
  devices: record numbers are shuffled and grouped into global batches first,
  and only then does a process read the rows it needs.
  """

  def __init__(self, split, *, batch_size, length, seed, labels=(),
               balance=_PLAIN):
    """split: a records.Split. batch_size: B. length: base pairs per row (bp).
    labels: columns that come along; a row without a label has -1. balance: how many of
    the rows, the last ones of a batch, are drawn class by class."""
    self._split, self._length = split, length
    self._labels = {column: np.asarray(split.labels(column)) for column in labels}
    self._ids = grain.MapDataset.range(split.num_records).seed(seed).shuffle().repeat().batch(
        batch_size - balance.num_rows)
    if balance.label:
      sampler = balance_lib.Sampler(balance, split.labels(balance.label), seed)
      self._ids = self._ids.map_with_index(
          lambda n, ids: np.concatenate([ids, sampler.ids(n)]))

  def ids(self, n):
    """Record numbers of batch n, [B] int."""
    return self._ids[n]

  def rows(self, n, row_ids):
    """Some rows of batch n: {"bases": [r, bp] uint8, "labels": {column: [r] int32}}."""
    return self._read(self._ids[n], row_ids)

  def stream(self, first_batch, row_ids, *, num_threads=2, prefetch=8):
    """Iterator over `rows(n, row_ids)` for n = first_batch, first_batch + 1, ..."""
    options = grain.ReadOptions(num_threads=num_threads,
                                prefetch_buffer_size=prefetch)
    data = self._ids.map(lambda ids: self._read(ids, row_ids))
    return iter(data[first_batch:].to_iter_dataset(options))

  def _read(self, ids, row_ids):
    ids = ids[row_ids]
    return {"bases": self._split.bases(ids, self._length),
            "labels": {column: of_all[ids] for column, of_all in self._labels.items()}}


def finite_batches(split, *, batch_size, length, record_ids=None, labels=()):
  """All records once, in order, in equally sized batches.

  Args:
    split: a records.Split.
    batch_size: B.
    length: base pairs per row (bp).
    record_ids: [n] record numbers; default all.
    labels: columns that come along; -1 is no label.

  Yields:
    {"bases": [B, bp] uint8, "labels": {column: [B] int32}, "is_real": [B] bool}; rows
    added to fill the last batch repeat its first record and have is_real False.
  """
  if record_ids is None:
    record_ids = np.arange(split.num_records)
  columns = {column: np.asarray(split.labels(column)) for column in labels}
  for first in range(0, len(record_ids), batch_size):
    ids = record_ids[first:first + batch_size]
    is_real = np.arange(batch_size) < len(ids)
    ids = np.concatenate([ids, np.full(batch_size - len(ids), ids[0])])
    yield {"bases": split.bases(ids, length), "is_real": is_real,
           "labels": {column: of_all[ids] for column, of_all in columns.items()}}
