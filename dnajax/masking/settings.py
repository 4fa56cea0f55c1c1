"""config.masking: which tokens are predicted, and what the encoder sees of them."""

import dataclasses
from typing import Any

from dnajax.shell import parts


@dataclasses.dataclass(frozen=True)
class Rate:
  """config.masking.rate: how much is selected, in the course of training."""
  boundaries: tuple[int, ...] = ()  # updates at which the rate changes
  factors: tuple[float, ...] = ()   # of the first rate, from each boundary on

  def check(self, setup):
    """A positive factor for each boundary."""
    del setup
    if not parts.increases(self.boundaries):
      yield "boundaries", "increasing numbers of updates"
    if len(self.factors) != len(self.boundaries) or any(x <= 0 for x in self.factors):
      yield "factors", "one positive number for each of rate.boundaries"


@dataclasses.dataclass(frozen=True)
class Masking:
  """config.masking: any selection goes with any corruption and any curriculum."""
  selection: Any = parts.one("selection", "uniform")    # which tokens are predicted
  corruption: Any = parts.one("corruption", "replace")  # what the encoder sees of them
  curriculum: Any = parts.one("curriculum", "none")     # when it is another selection
  rate: Rate = Rate()          # how much is selected, in the course of training
  pmi_table: str = ""          # ranks of k-mers: .npz, or a file beside the records
  num_scored: int = 0          # slots for predicted tokens; 0: from a formula or the data
  num_kept: int = 0            # slots of the encoder under drop; 0: likewise
  slot_quantile: float = 0.999  # share of the rows whose tokens all have a slot, if counted
  capacity_sds: float = 3.0    # room beyond the mean in standard deviations, if a formula
  round_to: int = 8            # numbers of slots are multiples of this

  def in_use(self):
    """{key below config.masking: selection}, the easy one first."""
    out = {"selection": self.selection}
    if self.curriculum.hard is not None:
      out["curriculum.hard"] = self.curriculum.hard
    return out

  def check(self, setup):
    """What concerns no selection, corruption or curriculum."""
    del setup
    for key in ("num_scored", "num_kept"):
      if getattr(self, key) < 0:
        yield key, "at least 0 (0: found)"
    if not 0 < self.slot_quantile <= 1:
      yield "slot_quantile", "above 0 and at most 1"
    if self.capacity_sds < 0:
      yield "capacity_sds", "at least 0"
    if self.round_to < 1:
      yield "round_to", "at least 1"
