"""Sums since the last report -> the values of a row."""

import contextlib
import time


class TrainReport:
  """Divides sums once, at the report, and keeps the clock."""

  def __init__(self, config, derived, task, schedule, first_step):
    self._config, self._derived, self._schedule = config, derived, schedule
    self._task = task
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
      sums: of the task, name -> float.

    Returns:
      dict of floats; losses in nats per token, rates per second.
    """
    seconds = max(time.monotonic() - self._start, 1e-9)
    # Updates done by this process; `sums` may reach back before a resumption.
    rate = (step - self.last_step) / seconds
    self.last_step, self._start = step, time.monotonic()
    return {
        **self._task.values(sums),
        "train/grad_norm": sums["grad_norm"] / max(sums["updates"], 1),
        "train/learning_rate": float(self._schedule(step - 1)),
        "speed/sequences_per_second": rate * self._config.batch_size,
        "speed/tokens_per_second":
            rate * self._config.batch_size * self._derived.num_tokens,
        "speed/seconds_left": (self._config.total_steps - step) / rate}
