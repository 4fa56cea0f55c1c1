"""Percentile bootstrap over queries: how far another sample of queries could lie."""

import numpy as np

LEVEL = 0.95
_NUM_RESAMPLES = 10_000


def interval(values, *, seed=0):
  """Interval of the mean of per-query values.

  Args:
    values: [Q] numbers, few different ones: 1 where a query is right, 0 where it is
      wrong, differences of those, or their means over seeds.
    seed: of the resamples.

  Returns:
    (low, high): percentiles 2.5 and 97.5 of the mean of Q values drawn with
    replacement, 10,000 times.
  """
  different, counts = np.unique(np.asarray(values, np.float64), return_counts=True)
  # How often each different value is drawn is all that a mean needs of a resample.
  drawn = np.random.default_rng(seed).multinomial(
      counts.sum(), counts / counts.sum(), size=_NUM_RESAMPLES)
  means = drawn @ different / counts.sum()
  low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
  return float(low), float(high)
