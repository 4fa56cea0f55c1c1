"""Batches with several rows of some classes, as losses that compare rows need them."""

import dataclasses

import numpy as np

from dnajax.shell import errors


@dataclasses.dataclass(frozen=True)
class Balance:
  """config.balance: part of every batch is drawn class by class, the rest as always.

  BarcodeMAE+ has 16 genera × 4 rows and 64 more in a batch of 128 (papers: section 2).
  """
  label: str = ""           # column of the classes; "": whole batches as always
  num_classes: int = 16     # different classes drawn for a batch
  rows_per_class: int = 4   # of each; different rows where a class has so many

  @property
  def num_rows(self):
    """Rows of a batch that are drawn class by class."""
    return self.num_classes * self.rows_per_class if self.label else 0

  def check(self, setup):
    """Room in the batch."""
    for key in ("num_classes", "rows_per_class"):
      if getattr(self, key) < 1:
        yield key, "at least 1"
    if self.num_rows >= setup.batch_size:
      yield "num_classes", (
          f"smaller: {self.num_classes} × {self.rows_per_class} rows leave none of "
          f"config.batch_size={setup.batch_size} for the others, which go through all records")


class Sampler:
  """Records drawn class by class: draw n is a function of (seed, n)."""

  def __init__(self, balance, labels, seed):
    """balance: Balance. labels: [N] int, -1 = none. Raises UserError: too few classes."""
    self._balance, self._seed = balance, seed
    order = np.argsort(labels, kind="stable")
    counts = np.bincount(labels[labels >= 0])
    first = (labels < 0).sum()
    starts = first + np.cumsum(counts) - counts
    # Of a class with one row only itself could be compared with itself.
    self._classes = [order[start:start + count] for start, count in
                     zip(starts, counts, strict=True) if count > 1]
    if len(self._classes) < balance.num_classes:
      raise errors.UserError(
          f"config.balance.num_classes={balance.num_classes}, but only {len(self._classes)} "
          f"of {balance.label} have two records or more. Lower it.")

  def ids(self, n):
    """Record numbers of draw n, [num_classes · rows_per_class] int, class by class."""
    rng = np.random.default_rng((self._seed, n))
    rows = self._balance.rows_per_class
    chosen = rng.choice(len(self._classes), self._balance.num_classes, replace=False)
    return np.concatenate([
        rng.choice(self._classes[i], rows, replace=len(self._classes[i]) < rows)
        for i in chosen])
