"""By what references are searched: tried on members of species that are left out."""

import dataclasses

import numpy as np

from dnajax.data import records
from dnajax.identification import adaptation, centroids, held_out, shortlist

WEIGHTS = (   # the first by default
    shortlist.Weights(),
    *(shortlist.Weights(1, cosine, centroid) for centroid in (0.0, 0.5, 1.0)
      for cosine in (0.0, 0.1, 0.2, 0.3, 0.5, 1.0) if (cosine, centroid) != (0.5, 0.5)),
    shortlist.Weights(0, 1, 0))
_MOST_QUERIES = 3_000
_SURE = 3   # standard errors, as many others are tried
_MOST_KEYS = 20_000


@dataclasses.dataclass(frozen=True, eq=False)
class Choice:
  """Features, how they count in a score, and what they find with it, n queries."""
  features: object
  weights: shortlist.Weights
  is_right: np.ndarray     # [n] bool

  @property
  def accuracy(self):
    """Share of the queries that is right; 0 without a query."""
    return float(self.is_right.mean()) if len(self.is_right) else 0.0

  @property
  def error(self):
    """Standard error of `accuracy`."""
    return float(np.sqrt(self.accuracy * (1 - self.accuracy) / max(len(self.is_right), 1)))

  def report(self):
    """The numbers, JSON-serialisable."""
    return {"weights": self.weights._asdict(), "accuracy": self.accuracy, "error": self.error,
            "num": len(self.is_right)}


def compare(references, features, pool, rank, seed):
  """A Choice: the best weights for some features, and how many held-out taxa it finds.

  Args:
    references: references.References.
    features: of features.py.
    pool: [N] bool, references that may play queries.
    rank: whose taxa are to be found; those of the next lower rank are left out.
    seed: of what plays queries.
  """
  group = held_out.left_out(references, rank)
  ids = held_out.draw(references, rank, pool, _MOST_QUERIES, seed)
  keys = np.arange(len(references.ids))
  if len(keys) > _MOST_KEYS:
    keys = np.sort(np.union1d(ids, records.fixed_sample(len(keys), _MOST_KEYS)))
  labels = references.names[rank]
  # Queries whose taxon is nowhere else say nothing about a weight.
  ids = ids[np.isin(ids, keys[held_out.has_others(labels[keys], group[keys])])]
  if not len(ids):
    return Choice(features, WEIGHTS[0], np.zeros(0, bool))
  rows = features.rows([references.sequences[i] for i in keys])
  centre = features.mean(rows)
  rows = features.less(rows, centre)
  queries = [references.sequences[i] for i in ids]
  nearest = shortlist.search(
      features.less(features.rows(queries), centre), rows,
      middles=centroids.of(rows, labels[keys], group[keys]), groups=(group[ids], group[keys]))
  candidates = shortlist.align(*nearest, queries, [references.sequences[i] for i in keys])
  return Choice(features, *_best_weights(candidates, labels[keys], labels[ids], group[ids]))


def adapt(references, found, pool, rank, seed):
  """Features as they are and made over for the references, tried on species kept out.

  Args:
    references, pool, rank, seed: see `compare`; the species that are kept out are of the pool.
    found: Choice of the features, tried on the whole pool.

  Returns:
    (Choice as they are, Choice of the adapted ones or None, [N] bool: the species that
    were kept out).
  """
  is_held = held_out.unseen(references, rank, pool, seed)
  kept = np.flatnonzero(~is_held)
  before = (found if np.array_equal(is_held, pool) else
            compare(references, found.features, is_held, rank, seed))
  made = adaptation.adapt(
      found.features, [references.sequences[i] for i in kept], references.names[rank][kept])
  return before, made and compare(references, made, is_held, rank, seed), is_held


def is_better(after, before):
  """Whether one Choice is right more often. It need not be surely so: chosen by one half of
  the species and measured on the other (7 libraries, 3 encoders each) that gained .6 points,
  and .3 where the gain had to be above its standard error."""
  return after.accuracy > before.accuracy


def is_surely_more(right, others, groups):
  """Whether right [n] bool has more than others [n] bool, by _SURE standard errors.

  Members of a group [n] are right or wrong together: the error is that of a sample of
  groups (Liang and Zeger 1986).
  """
  gain = right.astype(float) - others
  if not len(gain):
    return False
  sums = np.bincount(np.unique(groups, return_inverse=True)[1], gain - gain.mean())
  return bool(gain.mean() > _SURE * np.sqrt((sums**2).sum()) / len(gain))


def _best_weights(candidates, labels, wanted, groups):
  """(Weights, [n] bool where they are right): the first, unless others are surely better."""
  right = {one: shortlist.lineages(candidates, candidates.scores(one), {"": labels})[""][0]
           == wanted for one in WEIGHTS}
  sure = [one for one in WEIGHTS[1:] if is_surely_more(right[one], right[WEIGHTS[0]], groups)]
  best = max(sure, key=lambda one: right[one].mean(), default=WEIGHTS[0])
  return best, right[best]
