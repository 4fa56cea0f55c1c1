"""Features made over for one library: what differs within its genera counts less.

Within-class covariance normalisation (Hatch, Kajarekar and Stolcke 2006, sections 2, 3):
differences between members of a genus are whitened, so that a direction in which they
vary much, of which the marker or the phylum has more than the encoder was trained to
expect, no longer decides a cosine. Half of every inner product stays as it was: over 7
libraries and 3 encoders held-out species gain as much by that (.7 points), and where it
is a loss it is a smaller one (.2 points for .7). Whether it helps, they say (`fitting`).
"""

import numpy as np
from scipy import linalg

from dnajax.data import records
from dnajax.identification import features

_SHRINKAGE = 0.1           # share of the mean variance in every variance
WIDTH = 512                # numbers that are kept of longer rows
_MOST_ROWS = 20_000        # of which covariances are taken
_BLOCK = 4096


class Adapted(features.Dense):
  """Features of features.py, less a row, times a matrix."""

  def __init__(self, base, centre, matrix):
    """base: of features.py; centre: [D] float32; matrix: [D, W] float32."""
    self.base, self.centre, self.matrix = base, centre, matrix
    self.name, self.classes = f"{base.name}, adapted", base.classes

  def rows(self, sequences):
    """[n] str -> [n, W] float32; 0 where nothing can be read."""
    return self.of(self.read(sequences))

  def read(self, sequences):
    """[n] str -> rows of the base."""
    return self.base.read(sequences)

  def of(self, read):
    """Rows of the base -> [n, W] float32."""
    rows = self.base.less(read, self.centre)
    return np.concatenate([np.asarray(rows[i:i + _BLOCK]) @ self.matrix
                           for i in range(0, max(rows.shape[0], 1), _BLOCK)])


def adapt(base, sequences, labels):
  """Adapted features.

  None where no taxon has two sequences that differ, or where there are fewer sequences
  than numbers in a row, which say little of how those vary.

  Args:
    base: of features.py.
    sequences: [N] str.
    labels: [N] ints, of the rank whose taxa are brought together; -1: without a name.
  """
  labels = np.asarray(labels)
  ids = np.flatnonzero(labels >= 0)
  ids = ids[records.fixed_sample(len(ids), min(len(ids), _MOST_ROWS))]
  _, taxa, sizes = np.unique(labels[ids], return_inverse=True, return_counts=True)
  if not len(ids) or sizes.max() < 2:
    return None
  rows = base.rows([sequences[i] for i in ids])
  if len(ids) < rows.shape[1]:
    return None
  centre = base.mean(rows)
  rows = base.less(rows, centre)
  rows = np.concatenate([np.asarray(rows[i:i + _BLOCK]) for i in range(0, len(ids), _BLOCK)])
  means = np.zeros((len(sizes), rows.shape[1]), np.float32)
  np.add.at(means, taxa, rows)
  means /= sizes[:, None]
  differences = (rows - means[taxa])[sizes[taxa] > 1]
  if not np.abs(differences).max() > 1e-6 * np.abs(rows).max():
    return None
  within = differences.T @ differences / len(differences)
  return Adapted(base, centre, _matrix(within, rows))


def _matrix(within, rows):
  """[D, min(D, WIDTH)] float32; the directions of most variance if not all are kept."""
  size = len(within)
  shrunk = (1 - _SHRINKAGE) * within + _SHRINKAGE * within.trace() / size * np.eye(size)
  white = linalg.inv(shrunk.astype(np.float64))
  total = rows.T @ rows
  # As large on average, the products of white rows and those of the rows as they are.
  product = white / (total * white).sum() + np.eye(size) / total.trace()
  # Any root gives the same cosines, and this one costs least.
  matrix = linalg.cholesky(product * len(rows), lower=True)
  if size > WIDTH:
    made = (rows @ matrix).astype(np.float32)
    _, main = linalg.eigh(made.T @ made, subset_by_index=(size - WIDTH, size - 1))
    matrix = matrix @ main
  return matrix.astype(np.float32)
