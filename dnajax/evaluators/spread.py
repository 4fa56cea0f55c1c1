"""How features are spread in their space: collapse, and whitening against it."""

import numpy as np

from dnajax.shell import metric


def collapse(rows):
  """Whether features still differ: mean pairwise cosine and effective rank.

  `mean_cosine` is over all pairs of two different rows, exact (through the sum
  of the unit vectors). `effective_rank` is exp of the entropy of the singular
  values of the centred features, divided by their sum (Roy and Vetterli 2007);
  singular values below the rounding of float32 count as zero, and 0 means that
  all rows are equal.

  Args:
    rows: [Q, D] features.

  Returns:
    Metrics.
  """
  rows = np.asarray(rows, np.float64)
  num_rows = len(rows)
  norms = np.linalg.norm(rows, axis=1, keepdims=True)
  unit = np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0)
  pairs = num_rows * (num_rows - 1)
  of_pairs = (unit.sum(axis=0)**2).sum() - (unit**2).sum()
  mean_cosine = float(of_pairs / pairs) if pairs else float("nan")
  centred = rows - rows.mean(axis=0)
  gram = (centred.T @ centred if centred.shape[1] <= num_rows
          else centred @ centred.T)
  singular = np.sqrt(np.maximum(np.linalg.eigvalsh(gram), 0))
  rounding = np.finfo(np.float32).eps * np.linalg.norm(rows)
  singular = singular[singular > rounding]
  share = singular / singular.sum()
  rank = float(np.exp(-(share * np.log(share)).sum())) if len(share) else 0.0
  return [metric.Metric("mean_cosine", mean_cosine), metric.Metric("effective_rank", rank)]


PROTOCOL = ("mean cosine, over all pairs of queries, and effective rank, exp of the entropy of "
            "the normalised singular values of the centred features, tell whether features have "
            "collapsed; whitened accuracy: the same neighbours after the mean and covariance of "
            "the keys are taken out")


def whiten(keys, queries, *, floor=1e-6):
  """Both sets of features with the mean and covariance of the keys taken out.

  A few directions that all tokens of a row share (reading frame, order) can
  hold nearly all variance of pooled features and decide every cosine; this
  tells whether the other directions still know the labels.

  Args:
    keys: [N, D] features.
    queries: [Q, D] features.
    floor: added to the eigenvalues of the covariance, relative to the largest.

  Returns:
    (keys [N, D], queries [Q, D]) float32.
  """
  keys, queries = np.asarray(keys, np.float64), np.asarray(queries, np.float64)
  mean = keys.mean(axis=0)
  values, vectors = np.linalg.eigh(np.cov(keys - mean, rowvar=False).reshape(
      keys.shape[1], -1))
  scale = vectors / np.sqrt(np.maximum(values, 0) + floor * max(values[-1], 1e-30))
  return (((keys - mean) @ scale).astype(np.float32),
          ((queries - mean) @ scale).astype(np.float32))
