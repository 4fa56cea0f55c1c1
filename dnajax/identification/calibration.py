"""Probabilities that calls are right, and how good probabilities are."""

import dataclasses

import numpy as np

_RIDGE = 1e-3
_SAMPLES = 50     # of the answers, whose steps are averaged
_PRIOR = 20       # queries that a share taken beforehand counts as
_EM_STEPS = 100


@dataclasses.dataclass(frozen=True, eq=False)
class Calibrator:
  """Logistic regression of "the call is right" on evidence, made exact by steps.

  Attributes:
    mean, scale: [F] of the evidence it was fitted on.
    weights: [F + 1], the last one of the constant.
    said, was: [S], increasing: what the logistic regression says, and the share that is
      right there (isotonic regression of samples); between two of them a straight line.
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


def fit(evidence, is_right):
  """A Calibrator.

  Args:
    evidence: [n, F] float.
    is_right: [n] bool.
  """
  from scipy import optimize  # comes with JAX
  evidence, is_right = np.asarray(evidence, np.float64), np.asarray(is_right, np.float64)
  mean, scale = evidence.mean(axis=0), np.maximum(evidence.std(axis=0), 1e-6)
  design = _design(evidence, mean, scale)

  def loss(slopes):
    logits = design @ slopes
    gradient = design.T @ (_logistic(logits) - is_right) / len(design)
    value = np.mean(np.logaddexp(0, logits) - is_right * logits)
    penalty = np.append(np.full(len(slopes) - 1, _RIDGE), 0)
    return value + (penalty * slopes**2).sum() / 2, gradient + penalty * slopes

  found = optimize.minimize(loss, np.zeros(design.shape[1]), jac=True, method="L-BFGS-B")
  return Calibrator(mean, scale, found.x, *_steps(_logistic(design @ found.x), is_right))


def _steps(said, is_right):
  """(said, was) of a Calibrator: isotonic regression, the mean of samples drawn with
  replacement (Breiman 1996). A single one has wide steps at both ends, and what is said of
  the queries on them decides how many are taken to be of unknown taxa."""
  from scipy import optimize
  rng = np.random.default_rng(0)
  order = np.argsort(said, kind="stable")
  said, is_right = said[order], is_right[order]
  places, total = np.unique(said), 0.0
  for _ in range(_SAMPLES):
    drawn = np.sort(rng.integers(len(said), size=len(said)))
    blocks = optimize.isotonic_regression(is_right[drawn]).blocks
    starts, sizes = blocks[:-1], np.diff(blocks)
    # No step is certain: half an answer more of either kind.
    was = np.maximum.accumulate((np.add.reduceat(is_right[drawn], starts) + 0.5) / (sizes + 1))
    # A step is level in its middle half; from one to the next leads a ramp.
    ends = np.stack([starts + sizes // 4, starts + sizes - 1 - sizes // 4], axis=1)
    total += np.interp(places, said[drawn][ends.ravel()], was.repeat(2))
  return places, total / _SAMPLES


@dataclasses.dataclass(frozen=True, eq=False)
class Known:
  """Whether the references have the taxon of a query, and whether its name is right.

  Attributes:
    known: Calibrator of "the references have the query's taxon".
    found: Calibrator of "the name is right", where they have it.
    share: of the queries on which `known` was fitted, those whose taxon they have.
  """
  known: Calibrator
  found: Calibrator
  share: float

  def ratio(self, evidence):
    """[n, F] -> [n] how many times as likely such evidence is where they have the taxon."""
    said = self.known.probability(evidence)
    return said / (1 - said) * (1 - self.share) / self.share


def fit_known(evidence, is_right, has):
  """A Known.

  Args:
    evidence: [n, F] of queries.
    is_right: [n] bool, of the names found for them.
    has: [n] bool, whether the references have their taxon.
  """
  return Known(fit(evidence, has), fit(evidence[has], is_right[has]), float(np.mean(has)))


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
