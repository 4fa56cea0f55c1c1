"""Random bases in the place of a data set, for what depends on shapes alone."""

import pathlib

import numpy as np

from dnajax.tokens import bases as base_codes


class RandomSplit:
  """Looks like a split of full-length records with labels of every column."""
  name, num_records, fingerprint, ranks = "random bases", 1024, "", ()
  directory, cleaning = pathlib.Path(), {}

  def bases(self, ids, length):
    """[n, length] uint8."""
    return np.random.default_rng(0).integers(
        0, len(base_codes.ALPHABET), (len(ids), length)).astype(np.uint8)

  def pmi_ranks(self, num_tokens):
    """Ranks of tokens, [V] int32, as if no two k-mers had the same PMI."""
    return np.random.default_rng(0).permutation(num_tokens).astype(np.int32)

  def labels(self, column):
    """[N] int32, two different ones."""
    del column
    return np.arange(self.num_records, dtype=np.int32) % 2

  def vocabulary(self, column):
    """Names of the labels."""
    return [f"{column} {n}" for n in range(2)]
