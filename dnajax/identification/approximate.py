"""Approximate nearest references for libraries of millions: HNSW of usearch, an extra."""

import numpy as np

from dnajax.shell import errors

_BREADTH = 128   # candidates that a search keeps; 64 is usearch's default


class Graph:
  """A navigable graph of the references (HNSW, Malkov and Yashunin 2018); cosines are exact
  for what is found, but a nearer one may be missed."""

  def __init__(self, keys):
    """keys: [N, D] float32. Raises UserError: usearch is not installed, or keys are k-mers."""
    try:
      from usearch import index
    except ImportError as error:
      raise errors.UserError("--approximate needs the package usearch: "
                             "pip install 'dnajax[large]'.") from error
    if not isinstance(keys, np.ndarray):
      raise errors.UserError("--approximate needs an encoder; these references are searched by "
                             "6-mers. Leave it out.")
    self._index = index.Index(ndim=keys.shape[1], metric="cos", dtype="f16",
                              expansion_search=_BREADTH)
    self._index.add(np.arange(len(keys)), keys)
    self._keys = keys

  def nearest(self, rows, num_neighbors):
    """(ids [Q, n] int32, cosines [Q, n] float32), nearest first, as `neighbors.nearest`.

    rows: [Q, D] float32.
    """
    found = self._index.search(rows, num_neighbors)
    ids = np.atleast_2d(found.keys).astype(np.int32)
    with np.errstate(invalid="ignore", divide="ignore"):
      cosines = np.einsum("qd,qnd->qn", rows, self._keys[ids]) / (
          np.linalg.norm(rows, axis=1)[:, None] * np.linalg.norm(self._keys[ids], axis=2))
    cosines = np.nan_to_num(cosines).astype(np.float32)
    order = np.argsort(-cosines, axis=1, kind="stable")
    return np.take_along_axis(ids, order, 1), np.take_along_axis(cosines, order, 1)
