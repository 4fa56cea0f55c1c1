"""Learning-rate schedules: step (updates already made) -> rate."""

import dataclasses

import optax


@dataclasses.dataclass(frozen=True)
class _WarmUp:
  """Up from 0 in a line, then what the schedule is named for."""
  warmup_steps: int = 0
  warmup_fraction: float = 0.0  # of total_steps; other than 0: instead of warmup_steps
  final_fraction: float = 0.0   # last rate / peak

  def check(self, setup):
    """The warm-up lies within the run."""
    if not 0 <= self.warmup_steps <= setup.total_steps:
      yield "warmup_steps", f"0 to total_steps={setup.total_steps}"
    if not 0 <= self.warmup_fraction <= 1:
      yield "warmup_fraction", "between 0 and 1"
    if not 0 <= self.final_fraction <= 1:
      yield "final_fraction", "between 0 and 1"

  def warmup(self, total_steps):
    """Updates of the warm-up."""
    return (round(self.warmup_fraction * total_steps) if self.warmup_fraction
            else self.warmup_steps)

  def rate(self, peak, total_steps):
    """The schedule: step -> rate.

    Args:
      peak: highest rate.
      total_steps: updates of the run.
    """
    warmup = self.warmup(total_steps)
    return optax.join_schedules(
        [optax.linear_schedule(0.0, peak, warmup),
         self._after(peak, max(1, total_steps - warmup))], [warmup])

  def first_beta(self, b1, total_steps):
    """Adam's first beta: a number, or step -> number."""
    del total_steps
    return b1


class Linear(_WarmUp):
  """Linear warm-up from 0, then linear decay (BERT, DNABERT)."""

  def _after(self, peak, num_steps):
    return optax.linear_schedule(peak, peak * self.final_fraction, num_steps)


class Cosine(_WarmUp):
  """Linear warm-up from 0, then cosine decay."""

  def _after(self, peak, num_steps):
    return _cosine_between(peak, peak * self.final_fraction, num_steps)


class Constant(_WarmUp):
  """Linear warm-up from 0, then the peak rate."""

  def _after(self, peak, num_steps):
    del num_steps
    return optax.constant_schedule(peak)


@dataclasses.dataclass(frozen=True)
class OneCycle(_WarmUp):
  """PyTorch's OneCycleLR with cosine halves (BarcodeMAE, papers 1.3).

  Up from start_fraction · peak to the peak in the update number warmup_steps, down to
  final_fraction · peak in the last one, as PyTorch counts them. BarcodeMAE uses its
  defaults: 30 % of the steps upwards, start 1/25, end 1/25/1e4, and Adam's first beta
  moves the other way, .95 → .85 → .95.
  """
  start_fraction: float = 0.04  # first rate / peak
  b1_at_peak: float = 0.0       # Adam's first beta where the rate peaks; 0: it stays

  def check(self, setup):
    """As of the others; fractions."""
    yield from super().check(setup)
    if not 0 <= self.start_fraction <= 1:
      yield "start_fraction", "between 0 and 1"
    if not 0 <= self.b1_at_peak < 1:
      yield "b1_at_peak", "at least 0 and below 1 (0: it stays)"

  def rate(self, peak, total_steps):
    """The schedule: step -> rate; arguments as `Linear.rate`."""
    return self._up_and_down(peak * self.start_fraction, peak, peak * self.final_fraction,
                             total_steps)

  def first_beta(self, b1, total_steps):
    """Adam's first beta, step -> number; or `b1` if it stays."""
    if not self.b1_at_peak:
      return b1
    return self._up_and_down(b1, self.b1_at_peak, b1, total_steps)

  def _up_and_down(self, first, middle, last, total_steps):
    turn = max(self.warmup(total_steps) - 1, 0)  # the first update is number 0
    return optax.join_schedules(
        [_cosine_between(first, middle, turn),
         _cosine_between(middle, last, total_steps - 1 - turn)], [turn])


def _cosine_between(first, last, num_steps):
  decay = optax.cosine_decay_schedule(1.0, max(1, num_steps))
  return lambda step: last + (first - last) * decay(step)
