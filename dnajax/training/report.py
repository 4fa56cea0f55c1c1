"""Sums since the last report -> the values of a row."""

import contextlib
import time

from dnajax.training import losses


class TrainReport:
  """Divides sums once, at the report, and keeps the clock."""

  def __init__(self, config, derived, schedule, first_step):
    self._config, self._derived, self._schedule = config, derived, schedule
    self.last_step = first_step
    self._start = time.monotonic()

  @contextlib.contextmanager
  def pause(self):
    """Time spent in here (evaluation, saving) does not count as training."""
    before = time.monotonic()
    yield
    self._start += time.monotonic() - before

  def values(self, step, sums):
    """Means over the updates since the last report.

    Args:
      step: updates done.
      sums: `step.SUM_NAMES` -> float.

    Returns:
      dict of floats; losses in nats per token, rates per second.
    """
    seconds = max(time.monotonic() - self._start, 1e-9)
    # Updates done by this process; `sums` may reach back before a resumption.
    rate = (step - self.last_step) / seconds
    self.last_step, self._start = step, time.monotonic()
    updates = max(sums["updates"], 1)
    rows = updates * self._config.batch_size
    values = {
        "train/loss": losses.combine(
            sums, self._config.loss.masked_loss_weight),
        "train/accuracy": sums["correct"] / max(sums["selected"], 1),
        "train/grad_norm": sums["grad_norm"] / updates,
        "train/learning_rate": float(self._schedule(step - 1)),
        "masking/share": sums["masked_out"] / max(sums["maskable"], 1),
        "masking/hidden_share":
            sums["hidden_bases"] / max(sums["covered_bases"], 1),
        "masking/kept_share": sums["kept"] / max(sums["tokens"], 1),
        "masking/kept_overflow": sums["kept_overflow"] / rows,
        "masking/scored_overflow": sums["scored_overflow"] / rows,
        "speed/sequences_per_second": rate * self._config.batch_size,
        "speed/tokens_per_second":
            rate * self._config.batch_size * self._derived.num_tokens,
        "speed/seconds_left": (self._config.total_steps - step) / rate,
    }
    masking = self._config.masking
    if masking.pmi_table:
      values["masking/mean_pmi_rank"] = sums["rank_sum"] / max(sums["masked_out"], 1)
    if masking.curriculum.name != "none":
      values["masking/hard_share"] = sums["hard_updates"] / updates
    return values
