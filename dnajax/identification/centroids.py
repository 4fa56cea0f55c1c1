"""How near a query is to the middle of a taxon, not only to its nearest member.

The nearest reference decides alone, and a genus with many of them has many chances to have
one that is near by accident. The cosine with the mean direction of a genus (its prototype:
Snell, Swersky and Zemel 2017, section 2.2) has one.
"""

import dataclasses

import numpy as np

from dnajax.identification import held_out

_BLOCK = 4096     # references that are added at a time
_FEW = 256        # queries whose centroids are held at a time


@dataclasses.dataclass(frozen=True, eq=False)
class Centroids:
  """Sums of the directions of the members of taxa.

  Attributes:
    keys: [N, D] features of references less their centre.
    taxa: [N] numbers of taxa, -1 = none.
    shares: [N] what each counts in its taxon.
    sums: [T, D] float32.
  """
  keys: object
  taxa: np.ndarray
  shares: np.ndarray
  sums: np.ndarray

  def cosines(self, rows, ids, cosines, *, groups=None):
    """[Q, M] float32, of queries and the centroid of the taxon of each of their candidates.

    Args:
      rows: [Q, D] features of the queries less the centre.
      ids, cosines: [Q, M], see `shortlist.search`; a reference without a taxon stands for
        itself.
      groups: (of the queries [Q], of the references [N]): members of a query's own group
        are taken out of the centroids.
    """
    taxa, out = self.taxa[ids], np.empty(ids.shape, np.float32)
    places, left_out = self._left_out(taxa, *groups) if groups else (np.full(ids.shape, -1), None)
    for i in range(0, len(ids), _FEW):
      part, place = slice(i, i + _FEW), places[i:i + _FEW]
      sums = self.sums[np.maximum(taxa[part], 0)]                              # [n, M, D]
      if (place >= 0).any():
        sums[place >= 0] -= left_out[place[place >= 0]]
      product = np.einsum("qd,qmd->qm", unit(np.asarray(rows[part])), sums)
      out[part] = product / np.maximum(np.linalg.norm(sums, axis=2), 1e-9)
    return np.where(taxa >= 0, out, cosines).astype(np.float32)

  def _left_out(self, taxa, of_queries, of_keys):
    """([Q, M] rows of the other, -1: nothing to take out; [P, D] what groups have in taxa)."""
    pairs, numbers = held_out.pairs(self.taxa, of_keys, of_queries)
    places = np.array([[pairs.get((taxon, group), -1) for taxon in row]
                       for row, group in zip(taxa.tolist(), of_queries.tolist(), strict=True)])
    if (places < 0).all():
      return places, None
    return places, _summed(self.keys, numbers, self.shares, len(pairs))


def of(keys, taxa, parts):
  """Centroids.

  Args:
    keys, taxa: see Centroids.
    parts: [N] numbers, as of species: each part of a taxon counts as much as another,
      however many members it has. -1: a part of its own.
  """
  taxa, parts = np.asarray(taxa), np.asarray(parts)
  _, which, sizes = np.unique(np.stack([taxa, parts]), axis=1, return_inverse=True,
                              return_counts=True)
  shares = np.where(parts < 0, 1, 1 / sizes[which.ravel()]).astype(np.float32)
  return Centroids(keys, taxa, shares, _summed(keys, taxa, shares, taxa.max(initial=0) + 1))


def of_references(references, keys):
  """Centroids of references.References at their main rank."""
  rank = held_out.main_rank(references)
  if rank is None:
    return None
  return of(keys, references.names[rank], held_out.left_out(references, rank))


def _summed(keys, numbers, shares, count):
  """[count, D] float32: sums, by number, of unit rows times shares; -1 is no number."""
  sums = np.zeros((count, keys.shape[1]), np.float32)
  for i in range(0, len(numbers), _BLOCK):
    has = np.flatnonzero(numbers[i:i + _BLOCK] >= 0)
    if len(has):
      rows = unit(np.asarray(keys[i:i + _BLOCK])[has]) * shares[i:i + _BLOCK][has, None]
      np.add.at(sums, numbers[i:i + _BLOCK][has], rows)
  return sums


def unit(rows, axis=1):
  """The same at length 1; zeros stay."""
  return rows / np.maximum(np.linalg.norm(rows, axis=axis, keepdims=True), 1e-9)
