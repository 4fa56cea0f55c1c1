"""Harmonic mean of a score on known and a score on unknown species.

BarcodeMAE names it as the balance of closed- and open-world performance; which
two scores the paper pairs is not public, so the config names both.
"""

import dataclasses
import math

from dnajax.evaluators import base
from dnajax.shell import errors, metric


def harmonic_mean(a, b):
  """2ab / (a + b); 0 if one is 0 or below (adjusted scores may be), NaN if one is NaN."""
  if math.isnan(a + b):
    return math.nan
  return 2 * a * b / (a + b) if min(a, b) > 0 else 0.0


@dataclasses.dataclass(frozen=True)
class HarmonicMean(base.Evaluator):
  """Of two scores of other entries of config.evals."""
  closed: str  # NAME/METRIC: another entry and one of its metrics, on known species
  open: str    # NAME/METRIC, on unknown species

  def check(self, setup):
    """Whether there are such entries."""
    if setup.evals is None:
      return
    known = [name for name, part in setup.evals.items() if not part.others]
    for key in ("closed", "open"):
      name, _, of = getattr(self, key).partition("/")
      if name not in known or not of:
        yield key, (f"NAME/METRIC with the name of another entry of config.evals, for "
                    f"example '{(known or ['NAME'])[0]}/accuracy'; names: "
                    f"{', '.join(known)}")

  @property
  def task(self):
    """Names the two scores."""
    return f"harmonic mean of {self.closed} and {self.open}"

  @property
  def others(self):
    """The two entries."""
    return tuple(dict.fromkeys(path.partition("/")[0] for path in (self.closed, self.open)))

  def asks_untrained(self, evals):
    """If both entries do."""
    return all(evals[name].asks_untrained(evals) for name in self.others)

  def build(self, context):
    """A `Runner`; UserError also if an entry has no such metric.

    An entry that it names runs once for each set of parameters, however many
    harmonic means name it: its values stay in `context.cache`.
    """
    return Runner(
        _score(context, "closed", self.closed), _score(context, "open", self.open),
        protocol=f"2ab / (a + b) of {self.closed} (closed) and {self.open} (open), "
                 "0 if one of them is not above 0")


class Runner:
  """Of two scores."""

  metrics = ("harmonic_mean", "closed", "open")

  def __init__(self, closed, open_, *, protocol="harmonic mean"):
    """closed, open_: params -> Metric; None where there is none."""
    self._closed, self._open, self.protocol = closed, open_, protocol

  def run(self, params):
    """Yields Metrics; none if one of the scores is absent."""
    closed, open_ = self._closed(params), self._open(params)
    if closed is not None and open_ is not None:
      unit = closed.unit if closed.unit == open_.unit else ""
      yield metric.Metric("harmonic_mean", harmonic_mean(closed.value, open_.value), unit)
      yield metric.Metric("closed", closed.value, closed.unit)
      yield metric.Metric("open", open_.value, open_.unit)


def _score(context, key, path):
  """(params) -> Metric of 'NAME/METRIC'."""
  name, _, wanted = path.partition("/")
  runner = context.evals[name].build(context)
  # Early, because an error at the last step would cost the last updates.
  known = getattr(runner, "metrics", (wanted,))
  if wanted not in known:
    raise errors.UserError(
        f"config.evals.*.{key}={path!r}: {name} has no metric {wanted!r}. "
        f"It has: {', '.join(known)}.")
  return lambda params: next(
      (one for one in found(context, name, runner, params) if one.name == wanted), None)


def found(context, name, runner, params):
  """What an entry says under these parameters, computed once: list of Metrics."""
  known = context.cache.get(("found", name))
  if known is None or known[0] is not params:
    context.cache["found", name] = known = (params, list(runner.run(params)))
  return known[1]
