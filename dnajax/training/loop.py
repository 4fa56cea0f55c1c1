"""The order of events."""

import math


def train(state, train_step, batches, *, first_step, total_steps, every, events):
  """Runs updates first_step+1 .. total_steps.

  Everything due at a step sees the state after that many updates, before the
  next batch is drawn.

  Args:
    state: TrainState after `first_step` updates.
    train_step: compiled (state, batch) -> state.
    batches: starts with the batch of update first_step+1.
    first_step: updates already done.
    total_steps: updates in all.
    every: has evaluate (name -> steps), checkpoint, log.
    events: what happens then; see `events.Events`.

  Returns:
    (state, last step); the step is below total_steps if the run was asked to
    stop.
  """
  for step in range(first_step, total_steps + 1):
    is_new = step > first_step or step == 0
    for name, steps in every.evaluate.items():
      if is_new and due(step, steps, total_steps):
        state = events.evaluate(name, step, state)
    must_stop = events.must_stop(step)
    if step > first_step and (must_stop
                              or due(step, every.checkpoint, total_steps)):
      events.save(step, state)
    if step == total_steps or must_stop:
      return state, step
    state = train_step(state, next(batches))
    if due(step + 1, every.log, total_steps):
      state = events.report(step + 1, state)


def due(step, every, last):
  """Whether something done every `every` steps (0: only at the end) is due."""
  return step == last or bool(every and step % every == 0)


def is_finite(sums):
  """Whether every sum is a number."""
  return all(math.isfinite(value) for value in sums.values())
