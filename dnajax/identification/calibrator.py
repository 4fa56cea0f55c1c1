"""Logistic regression with an offset for each taxon, and steps of how often it is right."""

import dataclasses

import numpy as np

from dnajax.identification import columns

_RIDGE = 1e-3
_SHRINKAGE = 10   # one over the variance of the taxa's offsets
_FOLDS = 5
_SAMPLES = 50     # of the answers, whose steps are averaged


@dataclasses.dataclass(frozen=True, eq=False)
class Evidence(columns.Columns):
  """What n names rest on.

  Attributes:
    values: [n, F] float.
    taxa: [n, A] numbers of the taxa above the names, -1 where they have none.
    elsewhere: [n, E] float, what speaks for taxa that the references lack, and of names
      says nothing where they lack none.
  """
  values: np.ndarray
  taxa: np.ndarray
  elsewhere: np.ndarray

  @property
  def numbers(self):
    """[n, F + E]."""
    return np.concatenate([self.values, self.elsewhere], axis=1)

  def of_names(self):
    """Without `elsewhere`."""
    return dataclasses.replace(self, elsewhere=self.elsewhere[:, :0])


@dataclasses.dataclass(frozen=True, eq=False)
class Calibrator:
  """How likely "the name is right", or another answer, is by its Evidence.

  What a similarity is worth differs among families, orders, classes: each has an offset
  that is shrunk towards 0 the more, the fewer queries it had (random intercepts).

  Attributes:
    mean, scale: [F + E] of the evidence it was fitted on.
    weights: [F + E + 1], the last one of the constant.
    offsets: [A, V] of the taxa above; those numbered V or higher have none.
    said, was: [S], increasing: what the logistic regression says of queries of other taxa
      than it was fitted on, and the share that is right there (isotonic regression of
      samples); between two of them a straight line.
  """
  mean: np.ndarray
  scale: np.ndarray
  weights: np.ndarray
  offsets: np.ndarray
  said: np.ndarray
  was: np.ndarray

  def probability(self, evidence):
    """Evidence -> [n]."""
    logits = (_design(evidence.numbers, self.mean, self.scale) @ self.weights
              + _offsets(self.offsets, evidence.taxa))
    return np.interp(_logistic(logits), self.said, self.was)


def fit(evidence, is_right, groups):
  """A Calibrator.

  Args:
    evidence: Evidence of n queries.
    is_right: [n] bool.
    groups: [n] numbers; the steps are learned from what is said of a group by the others.
  """
  is_right = np.asarray(is_right, np.float64)
  numbers = evidence.numbers
  mean, scale = numbers.mean(axis=0), np.maximum(numbers.std(axis=0), 1e-6)
  design = _design(numbers, mean, scale)
  group = np.unique(groups, return_inverse=True)[1]
  folds = np.random.default_rng(0).permutation(group.max() + 1)[group] % _FOLDS
  said = np.zeros(len(design))
  for fold in np.unique(folds):
    rest, own = folds != fold, folds == fold
    # A single group has no others.
    rest = rest if rest.any() else own
    weights, offsets = _logits(design[rest], evidence.taxa[rest], is_right[rest])
    said[own] = design[own] @ weights + _offsets(offsets, evidence.taxa[own])
  weights, offsets = _logits(design, evidence.taxa, is_right)
  return Calibrator(mean, scale, weights, offsets, *_steps(_logistic(said), is_right))


def _logits(design, taxa, is_right):
  """(weights [F + E + 1], offsets [A, V]): the likeliest, where offsets are normal with
  variance 1 / _SHRINKAGE."""
  from scipy import optimize  # comes with JAX
  shape = taxa.shape[1], int(taxa.max(initial=-1)) + 1
  num, width = design.shape
  has = taxa >= 0
  places = (np.arange(shape[0]) * shape[1] + taxa)[has]
  penalty = np.concatenate([np.full(width - 1, _RIDGE), [0],
                            np.full(shape[0] * shape[1], _SHRINKAGE / num)])

  def loss(slopes):
    logits = design @ slopes[:width] + _offsets(slopes[width:].reshape(shape), taxa)
    wrong = (_logistic(logits) - is_right) / num
    gradient = np.concatenate([design.T @ wrong, np.bincount(
        places, np.broadcast_to(wrong[:, None], has.shape)[has], len(slopes) - width)])
    value = np.mean(np.logaddexp(0, logits) - is_right * logits)
    return value + (penalty * slopes**2).sum() / 2, gradient + penalty * slopes

  found = optimize.minimize(loss, np.zeros(len(penalty)), jac=True, method="L-BFGS-B").x
  return found[:width], found[width:].reshape(shape)


def _offsets(offsets, taxa):
  """[A, V], [n, A] -> [n], their sum."""
  has = (taxa >= 0) & (taxa < offsets.shape[1])
  if not has.any():
    return np.zeros(len(taxa))
  found = offsets[np.arange(len(offsets)), np.where(has, taxa, 0)]
  return np.where(has, found, 0).sum(axis=1)


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


def _logistic(logits):
  return 1 / (1 + np.exp(-np.clip(logits, -50, 50)))


def _design(values, mean, scale):
  rows = (np.asarray(values, np.float64) - mean) / scale
  # Beyond what was seen the evidence counts as the most extreme seen.
  return np.concatenate([np.clip(rows, -4, 4), np.ones((len(rows), 1))], axis=1)
