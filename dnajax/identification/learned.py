"""What an encoder has learned to name, beside what a library of references has.

An encoder that was trained on names has a vector for each of them. How near a query is to
the vector of the genus that the references suggest says more of whether it is of that
genus than how near it is to the references alone; and where the vector of a genus that the
library lacks is nearer, the query is likely to be of none that it has.
"""

import dataclasses
import functools

import numpy as np

from dnajax.identification import centroids

RANK = "genus"   # whose names count
_BLOCK = 4096   # rows whose cosines with all classes are held at a time


@dataclasses.dataclass(frozen=True, eq=False)
class Classes:
  """The genera of a head="cosine" of `losses.cross_entropy`.

  Attributes:
    names: [C] str.
    bias: [D], added to a feature (models.label_heads).
    vectors: [D, C] float32, of length 1.
  """
  names: list
  bias: np.ndarray
  vectors: np.ndarray

  def cosines(self, rows):
    """[n, D] features of the encoder -> [n, C] float32."""
    return centroids.unit(rows + self.bias) @ self.vectors


def classes(model, params, names):
  """Classes of a trained model; None where it has learned no genera so.

  Args:
    model: config.model.ModelSpec.
    params: its parameters.
    names: {column of labels: names of its classes}.
  """
  for name, loss in model.losses.items():
    if (getattr(loss, "head", None) == "cosine" and loss.pooling == "mean"
        and RANK in loss.ranks and names.get(RANK)):
      bias, vectors = (np.asarray(params[f"heads_{name}"][RANK][key], np.float32)
                       for key in ("bias", "classes"))
      return Classes(list(names[RANK]), bias, centroids.unit(vectors, axis=0))
  return None


def of_checkpoint(trained):
  """Classes of a workdir.load.Trained, or None."""
  return classes(trained.model, trained.params, trained.meta.get("learned_labels") or {})


@dataclasses.dataclass(frozen=True, eq=False)
class Learned:
  """Classes, and which of them a library has.

  Attributes:
    classes: Classes.
    of: [N] int32, the class of each reference; -1: its genus has none.
  """
  classes: Classes
  of: np.ndarray

  def told_apart(self):
    """Whether half or more of the names that the encoder knows are of taxa that the library
    lacks.

    Else nearly all that it could say of queries of unknown taxa would be said of those that
    play them, which it knows, and not of true ones, which it does not.
    """
    return bool(self._is_outside.mean() >= 0.5)

  def report(self):
    """The numbers, JSON-serialisable."""
    return {"num_names": len(self.classes.names), "num_here": int((~self._is_outside).sum())}

  def evidence(self, rows, ids, *, groups=None, is_blind=None):
    """(own [Q, M], outside [Q]), float32 cosines with classes.

    Args:
      rows: [Q, D] features of the encoder.
      ids: [Q, M] numbers of references.
      groups: (of the queries [Q], of the references [N]), those with the number of a query
        are left out for it; see `inference.neighbors.nearest`.
      is_blind: [Q] bool, queries of which it is not told when a class has no other
        references than those left out for it: as if the encoder did not know it either.

    Returns:
      own: with the class of each of ids, NaN where it has none. outside: with the nearest
      class that no reference has; -1 without one.
    """
    said = self.classes.cosines(rows)
    of = self.of[ids]
    own = np.where(of >= 0, np.take_along_axis(said, np.maximum(of, 0), axis=1), np.nan)
    is_outside = self._is_outside
    if groups is not None:
      is_gone = self._sole(groups[1])[None] == groups[0][:, None]                 # [Q, C]
      if is_blind is not None:
        is_gone &= ~is_blind[:, None]
      is_outside = is_outside | is_gone
    outside = np.where(is_outside, said, -1).max(axis=1)
    return own.astype(np.float32), outside.astype(np.float32)

  @functools.cached_property
  def _is_outside(self):
    return ~np.isin(np.arange(len(self.classes.names)), self.of)

  def _sole(self, groups):
    """[C] the group that all references of a class are of; -1 if there is no such."""
    has = self.of >= 0
    pairs = np.unique(np.stack([self.of[has], groups[has]]), axis=1)
    found, firsts, counts = np.unique(pairs[0], return_index=True, return_counts=True)
    sole = np.full(len(self.classes.names), -1)
    sole[found[counts == 1]] = pairs[1][firsts[counts == 1]]
    return sole


def bind(known, references, rows):
  """A Learned; None without Classes or without genera.

  A taxon of the references has the class of its name; if there is none, the one that is
  nearest to most of its references, unless the library has a taxon of that name: it may
  bear another name, be a part of it (as others of the library are then), or stand in for it.

  Args:
    known: Classes or None.
    references: references.References.
    rows: [N, D] features of the encoder.
  """
  if known is None or RANK not in references.names:
    return None
  number = {name: n for n, name in enumerate(known.names)}
  of_taxon = np.array([number.get(name, -1) for name in references.vocabularies[RANK]] + [-1],
                      np.int32)
  taxa = references.names[RANK]
  without = np.flatnonzero((of_taxon[taxa] < 0) & (taxa >= 0))
  nearest = np.concatenate([np.zeros(0, int), *(
      known.cosines(rows[without[i:i + _BLOCK]]).argmax(axis=1)
      for i in range(0, len(without), _BLOCK))])
  is_named = np.isin(np.arange(len(known.names)), of_taxon)
  for taxon in np.unique(taxa[without]):
    found, counts = np.unique(nearest[taxa[without] == taxon], return_counts=True)
    if 2 * counts.max() > counts.sum() and not is_named[found[counts.argmax()]]:
      of_taxon[taxon] = found[counts.argmax()]
  return Learned(known, of_taxon[taxa])
