"""Harmonic mean of a score on known and a score on unknown species.

BarcodeMAE names it as the balance of closed- and open-world performance; which
two scores the paper pairs is not public, so the config names both.
"""

import math

from dnajax import errors
from dnajax.evaluators import base, specs

_REQUIRED = ("closed", "open")


def harmonic_mean(a, b):
  """2ab / (a + b); 0 if one is 0 or below (adjusted scores may be), NaN if one is NaN."""
  if math.isnan(a + b):
    return math.nan
  return 2 * a * b / (a + b) if min(a, b) > 0 else 0.0


class HarmonicMean:
  """Of two scores of other entries of config.evals."""

  metrics = ("harmonic_mean", "closed", "open")

  def __init__(self, closed, open_, *, protocol="harmonic mean"):
    """closed, open_: params -> score; None where there is none."""
    self._closed, self._open, self.protocol = closed, open_, protocol

  def run(self, params):
    """Yields (metric name, value); nothing if one of the scores is absent."""
    closed, open_ = self._closed(params), self._open(params)
    if closed is not None and open_ is not None:
      yield "harmonic_mean", harmonic_mean(closed, open_)
      yield "closed", closed
      yield "open", open_


def from_config(spec, context):
  """The evaluator of one entry of config.evals.

  An entry that it names runs once for each set of parameters, however many
  harmonic means name it: its values stay in `context.cache`.

  Args:
    spec: has closed and open, each "NAME/METRIC": the name of another entry of
      config.evals and one of its metrics.
    context: a `base.Context`.

  Returns:
    A `HarmonicMean`.

  Raises:
    UserError: no such entry or metric.
  """
  spec = specs.complete(spec, required=_REQUIRED, optional={})
  return HarmonicMean(
      _score(context, "closed", spec.closed), _score(context, "open", spec.open),
      protocol=f"2ab / (a + b) of {spec.closed} (closed) and {spec.open} (open), "
               "0 if one of them is not above 0")


def _score(context, key, path):
  """(params) -> value of 'NAME/METRIC'."""
  evals = context.config.evals
  name, _, metric = path.partition("/") if isinstance(path, str) else ("", "", "")
  known = [other for other, entry in evals.items() if entry.type != "harmonic_mean"]
  if name not in known or not metric:
    raise errors.UserError(
        f"config.evals.*.{key}={path!r} must be NAME/METRIC with the name of another entry "
        f"of config.evals, for example {(known or ['NAME'])[0]}/accuracy. "
        f"Names: {', '.join(known)}.")
  evaluator = base.make(evals[name], context)
  # Early, because an error at the last step would cost the last updates.
  metrics = getattr(evaluator, "metrics", (metric,))
  if metric not in metrics:
    raise errors.UserError(
        f"config.evals.*.{key}={path!r}: {name} has no metric {metric!r}. "
        f"It has: {', '.join(metrics)}.")
  return lambda params: _values(context, name, evaluator, params).get(metric)


def _values(context, name, evaluator, params):
  """What an entry yields under these parameters, computed once."""
  known = context.cache.get(("values", name))
  if known is None or known[0] is not params:
    context.cache[("values", name)] = known = (params, dict(evaluator.run(params)))
  return known[1]
