"""One measured number, with what a table or a console needs to know of it."""

import dataclasses
from typing import Literal

Unit = Literal["", "share", "nats", "count", "per_second", "seconds"]


@dataclasses.dataclass(frozen=True)
class Metric:
  """A number that an evaluator, a loss or the training loop reports.

  Attributes:
    name: as "accuracy"; a path once its owner is known, as "knn_genus/accuracy".
    value: NaN where it could not be computed.
    unit: "share" is shown in per cent, "count" as a whole number.
    is_shown: whether tables and the console show it; metrics.jsonl and results.json
      hold all of them.
  """
  name: str
  value: float
  unit: Unit = ""
  is_shown: bool = True

  def of(self, owner):
    """The same metric as "owner/name"."""
    return dataclasses.replace(self, name=f"{owner}/{self.name}")


def shares(values, *, is_shown=True):
  """Metrics of unit "share" from (name, value) pairs or a dict."""
  pairs = values.items() if hasattr(values, "items") else values
  return [Metric(name, value, "share", is_shown) for name, value in pairs]


def counts(values):
  """Metrics of unit "count", not shown, from a dict."""
  return [Metric(name, value, "count", False) for name, value in values.items()]
