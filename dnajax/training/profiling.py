"""Traces of updates."""

import itertools

import jax


def traced(train_step, directory, num_steps):
  """The same step; calls 3 .. 2 + num_steps are traced (the first ones compile).

  Args:
    train_step: (state, batch) -> state.
    directory: where the trace goes.
    num_steps: 0 for none.
  """
  if not num_steps:
    return train_step
  calls = itertools.count(1)

  def step(state, batch):
    n = next(calls)
    if n == 3:
      jax.profiler.start_trace(str(directory))
    state = train_step(state, batch)
    if n == 2 + num_steps:
      jax.block_until_ready(state)
      jax.profiler.stop_trace()
    return state

  return step
