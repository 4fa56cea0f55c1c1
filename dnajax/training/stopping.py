"""SIGTERM asks a run to save and to stop, in every process at the same step."""

import signal

import jax
from jax.experimental import multihost_utils

EXIT_CODE = 42  # of a command whose run is not finished and goes on if started again


class Stopping:
  """While active, SIGTERM ends nothing at once but is seen by `must_stop`.

  One process hears the signal itself. With several, JAX does: `jax.distributed.initialize`
  has installed a handler, which a handler of Python would replace. Whichever process gets
  the signal, all agree on a step that none of them has begun.
  """

  def __init__(self):
    self._is_asked, self._before = False, None

  def __enter__(self):
    if jax.process_count() == 1:
      try:
        self._before = signal.signal(signal.SIGTERM, self._ask)
      except ValueError:  # not in the main thread: a notebook's own business
        pass
    return self

  def __exit__(self, *_):
    if self._before is not None:
      signal.signal(signal.SIGTERM, self._before)

  def must_stop(self, step):
    """Whether the run is to stop after this step.

    Args:
      step: updates done; with several processes each asks at every step, in order.
    """
    if jax.process_count() == 1:
      return self._is_asked
    return multihost_utils.reached_preemption_sync_point(step)

  def _ask(self, *_):
    self._is_asked = True
