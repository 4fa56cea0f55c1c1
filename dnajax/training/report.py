"""Sums since the last report -> what a report says."""

import contextlib
import time

from dnajax.shell import metric


class TrainReport:
  """Divides sums once, at the report, and keeps the clock."""

  def __init__(self, task, learning_rate, *, batch_size, total_steps, first_step):
    """task: training.task.Task. learning_rate: step -> rate. first_step: updates done."""
    self._task, self._learning_rate = task, learning_rate
    self._batch_size, self._total_steps = batch_size, total_steps
    self.last_step = first_step
    self._start = time.monotonic()

  @contextlib.contextmanager
  def pause(self):
    """Time spent in here (evaluation, saving) does not count as training."""
    before = time.monotonic()
    yield
    self._start += time.monotonic() - before

  def metrics(self, step, sums):
    """Means over the updates since the last report.

    Args:
      step: updates done.
      sums: of the task, name -> float.

    Returns:
      list of Metric; losses in nats per token, rates per second.
    """
    seconds = max(time.monotonic() - self._start, 1e-9)
    # Updates done by this process; `sums` may reach back before a resumption.
    rate = (step - self.last_step) / seconds
    self.last_step, self._start = step, time.monotonic()
    return [
        *self._task.metrics(sums, self._batch_size),
        metric.Metric("train/grad_norm", sums["grad_norm"] / max(sums["updates"], 1)),
        metric.Metric("train/learning_rate", float(self._learning_rate(step - 1)),
                      is_shown=False),
        metric.Metric("speed/sequences_per_second", rate * self._batch_size, "per_second"),
        metric.Metric("speed/tokens_per_second",
                      rate * self._batch_size * self._task.tokenizer.num_tokens,
                      "per_second", False),
        metric.Metric("speed/seconds_left", (self._total_steps - step) / rate, "seconds",
                      False)]
