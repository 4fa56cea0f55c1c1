"""Probabilities that calls are right, and how good probabilities are."""

import dataclasses

import numpy as np

from dnajax.identification import calibrator

_PRIOR = 20       # queries that a share taken beforehand counts as
_EM_STEPS = 100


@dataclasses.dataclass(frozen=True, eq=False)
class Known:
  """Whether the references have the taxon of a query, and whether its name is right.

  Attributes:
    known: calibrator.Calibrator of "the references have the query's taxon".
    found: calibrator.Calibrator of "the name is right", where they have it.
    share: of the queries on which `known` was fitted, those whose taxon they have.
  """
  known: calibrator.Calibrator
  found: calibrator.Calibrator
  share: float

  def right(self, evidence):
    """calibrator.Evidence -> [n] that the name is right, where they have the taxon."""
    return self.found.probability(evidence.of_names())

  def ratio(self, evidence):
    """calibrator.Evidence -> [n] how many times as likely it is where they have the taxon."""
    said = self.known.probability(evidence)
    return said / (1 - said) * (1 - self.share) / self.share


def fit_known(evidence, is_right, has, groups):
  """A Known.

  Args:
    evidence: calibrator.Evidence of n queries.
    is_right: [n] bool, of the names found for them.
    has: [n] bool, whether the references have their taxon.
    groups: see `calibrator.fit`.
  """
  there = evidence[has].of_names()
  return Known(calibrator.fit(evidence, has, groups),
               calibrator.fit(there, is_right[has], groups[has]), float(np.mean(has)))


def known(ratio, unknown):
  """That the references have the taxa of queries, [n].

  Args:
    ratio: [n] of `Known.ratio`.
    unknown: share of the queries whose taxon they lack, before anything is known of them.
  """
  odds = ratio * (1 - unknown)
  return odds / (odds + unknown)


def unknown_share(ratio, weights, prior):
  """Share of some queries whose taxon the references lack, so that it is the one their
  probabilities say (Saerens, Latinne and Decaestecker 2002, section 2.2: EM).

  Args:
    ratio: [n] of `Known.ratio`.
    weights: [n], what each of them counts.
    prior: share that is taken for as many as _PRIOR queries beside them.
  """
  share = prior
  for _ in range(_EM_STEPS):
    unknown = 1 - known(ratio, share)
    share = (weights @ unknown + _PRIOR * prior) / (weights.sum() + _PRIOR)
  return float(share)


def threshold(probabilities, precision):
  """The lowest p so that those ≥ p are `precision` on average; the highest, if none is."""
  ordered = np.sort(probabilities)[::-1]
  means = np.cumsum(ordered) / np.arange(1, len(ordered) + 1)
  enough = np.flatnonzero(means >= precision)
  return float(ordered[enough[-1]] if len(enough) else ordered[0])


def bins(probabilities, is_right, *, num_bins=10):
  """Equally wide bins of probabilities, those that hold any: [(mean p, share right, n)]."""
  probabilities, is_right = np.asarray(probabilities), np.asarray(is_right)
  place = np.minimum((probabilities * num_bins).astype(int), num_bins - 1)
  return [(float(probabilities[place == i].mean()), float(is_right[place == i].mean()),
           int((place == i).sum())) for i in range(num_bins) if (place == i).any()]


def expected_error(probabilities, is_right, *, num_bins=10):
  """Expected calibration error (Guo et al. 2017, section 2) with equally wide bins."""
  found = bins(probabilities, is_right, num_bins=num_bins)
  total = sum(n for *_, n in found)
  return sum(n / total * abs(said - was) for said, was, n in found)


def auroc(scores, is_positive):
  """Chance that a positive scores above a negative, ties half (Mann and Whitney 1947).

  NaN where one of both is absent.
  """
  scores, is_positive = np.asarray(scores, np.float64), np.asarray(is_positive, bool)
  num, others = is_positive.sum(), (~is_positive).sum()
  if not num or not others:
    return float("nan")
  from scipy import stats
  ranks = stats.rankdata(scores)
  return float((ranks[is_positive].sum() - num * (num + 1) / 2) / (num * others))
