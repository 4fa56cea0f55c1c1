"""Candidates of queries: the nearest references, aligned with the query."""

import dataclasses
import typing

import numpy as np

from dnajax.identification import alignment, calibrator, columns, held_out
from dnajax.inference import neighbors

DEPTH = 16          # references that are aligned with a query
LEAST = 0.6         # lower identities are not told apart


class Weights(typing.NamedTuple):
  """What counts how much in a score."""
  identity: float = 1.0
  cosine: float = 0.5
  centroid: float = 0.5

  def __str__(self):
    words = {"identity": self.identity, "cosine": self.cosine,
             "cosine with the centroid": self.centroid}
    return " + ".join(name if weight == 1 else f"{weight:g} · {name}"
                      for name, weight in words.items() if weight)


@dataclasses.dataclass(frozen=True, eq=False)
class Candidates(columns.Columns):
  """M references for each of Q queries, the most similar one first."""
  ids: np.ndarray         # [Q, M] int32
  cosines: np.ndarray     # [Q, M] float32, of centred features; -inf: no such candidate
  centroids: np.ndarray   # [Q, M] float32, cosines with the centroid of the taxon of each
  identities: np.ndarray  # [Q, M] float32, at least LEAST
  overlaps: np.ndarray    # [Q, M] int32, base pairs
  classes: np.ndarray     # [Q, M] float32, cosine with the class of each; NaN: it has none
  outside: np.ndarray     # [Q] float32, with the nearest class that no reference has

  def scores(self, weights):
    """[Q, M] float64, by Weights; -inf where there is none."""
    has = np.isfinite(self.cosines)
    values = (self.identities, self.cosines, self.centroids)
    return np.where(has, sum(weight * np.where(has, one, 0.0)
                             for weight, one in zip(weights, values, strict=True)), -np.inf)


def by_text(sequences, candidates):
  """{sequence: its Candidates, of one query}."""
  return {text: candidates[i:i + 1] for i, text in enumerate(sequences)}


def search(rows, keys, *, middles=None, groups=None, graph=None, depth=DEPTH):
  """The references nearest to queries: (ids, cosines, cosines with centroids), [Q, M] each.

  Args:
    rows: [Q, D] centred features of the queries, see `neighbors.nearest`.
    keys: the same of the references.
    middles: centroids.Centroids of the references; None: each stands for itself.
    groups: see `neighbors.nearest`.
    graph: approximate.Graph of the keys that is asked instead of all keys; None for exact.
    depth: M, fewer if there are fewer references.
  """
  depth = min(depth, keys.shape[0])
  if graph is not None and groups is None:
    ids, cosines = graph.nearest(rows, depth)
  else:
    ids, cosines = neighbors.nearest(rows, keys, depth, groups=groups)
  return ids, cosines, cosines if middles is None else middles.cosines(
      rows, ids, cosines, groups=groups)


def align(ids, cosines, middles, sequences, key_sequences, learned=None, known=None):
  """Candidates: what was found, aligned.

  Args:
    ids, cosines, middles: of `search`.
    sequences: [Q] str, of the queries; rows of ids behind them are left out.
    key_sequences: [N] str, of the references.
    learned: of `learned.Learned.evidence`; None where nothing was learned.
    known: {(query, number of a reference): what `alignment.identity` gives}, which is added
      to: such pairs are not aligned again.
  """
  own, outside = learned or (np.full(ids.shape, np.nan, np.float32),
                             np.full(len(ids), -1, np.float32))
  ids, cosines, middles, own, outside = (
      x[:len(sequences)] for x in (ids, cosines, middles, own, outside))
  identities = np.full(ids.shape, LEAST, np.float32)
  overlaps = np.zeros(ids.shape, np.int32)
  known = {} if known is None else known
  is_there = np.isfinite(cosines)
  for q, (query, row, there) in enumerate(zip(sequences, ids.tolist(), is_there, strict=True)):
    for m in np.flatnonzero(there):
      pair = query, row[m]
      if pair not in known:
        known[pair] = alignment.identity(query, key_sequences[row[m]], at_least=LEAST)
      identities[q, m], overlaps[q, m] = known[pair]
  return Candidates(ids, cosines, middles, identities, overlaps, own, outside)


def lineages(candidates, scores, names, groups=None):
  """The names of the best candidates, and how clear they are.

  A name comes from the best candidate that has one at its rank, among those that are not
  at odds with the names of higher ranks: so a lineage is one.

  Args:
    candidates: Candidates.
    scores: [Q, M] of them.
    names: {rank: [N] int32 of the references, -1 = none}, high to low.
    groups: (of the queries [Q], of the references [N]), what was left out; see `search`.

  Returns:
    {rank: (label [Q] int32, -1 where none has one; calibrator.Evidence of it, whose taxa
    are the labels of the higher ranks and whose values are: the score of the candidate that
    gives it; by how much that is above the best one of another label (above the last
    candidate, where all agree); its cosine, and that with the centroid; of the references
    with the label, as many as candidates can be, the share that are; whether the encoder
    has learned a class for that candidate, and its cosine with it; elsewhere, the cosine
    with the nearest class that no reference has)}.
  """
  rows = np.arange(len(scores))
  fits = np.isfinite(scores)
  last = np.where(fits, scores, np.inf).min(axis=1)
  found = {}
  for rank, column in names.items():
    labels = np.where(np.isfinite(scores), column[candidates.ids], -1)       # [Q, M]
    best = np.where(fits & (labels >= 0), scores, -np.inf).argmax(axis=1)
    label = np.where((fits & (labels >= 0)).any(axis=1), labels[rows, best], -1)
    has = label >= 0
    is_other = (labels >= 0) & (labels != label[:, None])
    others = np.where(is_other, scores, -np.inf).max(axis=1)
    top = np.where(has, scores[rows, best], 0)
    margin = np.where(has, top - np.where(np.isfinite(others), others, last), 0)
    cosine, centroid = (np.where(has, one[rows, best], 0)
                        for one in (candidates.cosines, candidates.centroids))
    # Not of the candidates: a taxon of which the query itself is left out has one less to give.
    share = ((labels == label[:, None]) & has[:, None]).sum(axis=1) / np.clip(
        _sizes(label, column, groups), 1, scores.shape[1])
    own = np.where(has, candidates.classes[rows, best], np.nan)
    above = [high for high, _ in found.values()]
    found[rank] = label.astype(np.int32), calibrator.Evidence(
        np.stack([top, margin, cosine, centroid, share, np.isfinite(own), np.nan_to_num(own)],
                 axis=1),
        np.array(above, np.int32).reshape(len(above), len(rows)).T,
        candidates.outside[:, None])
    fits = fits & ((labels == label[:, None]) | (labels < 0) | ~has[:, None])
  return found


def _sizes(labels, column, groups):
  """[Q] how many references have a label, without those of the query's own group."""
  counts = np.bincount(column[column >= 0], minlength=column.max(initial=0) + 1)[labels]
  if groups is None:
    return counts
  of_queries, of_keys = groups
  pairs, numbers = held_out.pairs(column, of_keys, of_queries)
  sizes = np.bincount(numbers + 1)   # the first one: of no pair
  sizes[0] = 0
  return counts - sizes[[pairs.get(pair, -1) + 1
                         for pair in zip(labels.tolist(), of_queries.tolist(), strict=True)]]
