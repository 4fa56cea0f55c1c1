"""Probabilities that calls are right, and how good probabilities are."""

import dataclasses

import numpy as np

_RIDGE = 1e-3
_LEAST_WEIGHT = 1e-6   # a step of isotonic regression needs some
_PRIOR = 20       # queries that a share taken beforehand counts as
_EM_STEPS = 100


@dataclasses.dataclass(frozen=True, eq=False)
class Calibrator:
  """Logistic regression of "the call is right" on evidence, made exact by steps.

  Attributes:
    mean, scale: [F] of the evidence it was fitted on.
    weights: [F + 1], the last one of the constant.
    said, was: [S], increasing: what the logistic regression says, and the share that is
      right there (isotonic regression); between two of them a straight line.
  """
  mean: np.ndarray
  scale: np.ndarray
  weights: np.ndarray
  said: np.ndarray
  was: np.ndarray

  def probability(self, evidence):
    """[n, F] -> [n]."""
    return np.interp(_logistic(_design(evidence, self.mean, self.scale) @ self.weights),
                     self.said, self.was)


def fit(evidence, is_right, weights=None):
  """A Calibrator.

  Args:
    evidence: [n, F] float.
    is_right: [n] bool.
    weights: [n], what each row counts; None: 1.
  """
  from scipy import optimize  # comes with JAX
  evidence, is_right = np.asarray(evidence, np.float64), np.asarray(is_right, np.float64)
  counts = np.ones(len(evidence)) if weights is None else np.maximum(weights, _LEAST_WEIGHT)
  part = counts / counts.sum()
  mean, scale = evidence.mean(axis=0), np.maximum(evidence.std(axis=0), 1e-6)
  design = _design(evidence, mean, scale)

  def loss(slopes):
    logits = design @ slopes
    gradient = design.T @ (part * (_logistic(logits) - is_right))
    value = part @ (np.logaddexp(0, logits) - is_right * logits)
    penalty = np.append(np.full(len(slopes) - 1, _RIDGE), 0)
    return value + (penalty * slopes**2).sum() / 2, gradient + penalty * slopes

  found = optimize.minimize(loss, np.zeros(design.shape[1]), jac=True, method="L-BFGS-B")
  said = _logistic(design @ found.x)
  order = np.argsort(said, kind="stable")
  is_right, said, counts = is_right[order], said[order], counts[order]
  starts = optimize.isotonic_regression(is_right, weights=counts).blocks[:-1]
  sizes = np.add.reduceat(counts, starts)
  # No step is certain: half an answer more of either kind.
  was = (np.add.reduceat(counts * is_right, starts) + 0.5) / (sizes + 1)
  return Calibrator(mean, scale, found.x, np.add.reduceat(counts * said, starts) / sizes,
                    np.maximum.accumulate(was))


@dataclasses.dataclass(frozen=True, eq=False)
class Rank:
  """How likely a name at one rank is right: its taxon is among the references, and found.

  Attributes:
    known: Calibrator of "the references have the query's taxon".
    found: Calibrator of "the name is right", where they have it.
    share: of the queries on which `known` was fitted, those whose taxon they have.
  """
  known: Calibrator
  found: Calibrator
  share: float

  def probabilities(self, evidence, unknown):
    """(that the references have the taxon [n], that the name is right [n]).

    unknown: share of the queries whose taxon they lack, before anything is known of them.
    """
    known = self._known(self.known.probability(evidence), unknown)
    return known, known * self.found.probability(evidence)

  def unknown_share(self, evidence, weights, prior):
    """Share of some queries whose taxon the references lack, so that it is the one their
    probabilities say (Saerens, Latinne and Decaestecker 2002, section 2.2: EM).

    Args:
      evidence: [n, F].
      weights: [n], what each of them counts.
      prior: share that is taken for as many as _PRIOR queries beside them.
    """
    said, share = self.known.probability(evidence), prior
    for _ in range(_EM_STEPS):
      unknown = 1 - self._known(said, share)
      share = (weights @ unknown + _PRIOR * prior) / (weights.sum() + _PRIOR)
    return float(share)

  def _known(self, said, unknown):
    """What `known` says, for another share of queries whose taxon is lacking."""
    odds = said / (1 - said) * (1 - self.share) / self.share * (1 - unknown) / unknown
    return odds / (1 + odds)


def fit_rank(evidence, is_right, has, weights):
  """A Rank.

  Args:
    evidence: [n, F] of queries.
    is_right: [n] bool, of the names found for them.
    has: [n] bool, whether the references have their taxon.
    weights: [n], what each of them counts.
  """
  return Rank(fit(evidence, has, weights), fit(evidence[has], is_right[has], weights[has]),
              float(weights @ has / weights.sum()))


def _logistic(logits):
  return 1 / (1 + np.exp(-np.clip(logits, -50, 50)))


def _design(evidence, mean, scale):
  rows = (np.asarray(evidence, np.float64) - mean) / scale
  # Beyond what was seen the evidence counts as the most extreme seen.
  return np.concatenate([np.clip(rows, -4, 4), np.ones((len(rows), 1))], axis=1)


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
