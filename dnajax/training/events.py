"""What happens when the loop says so: evaluations, checkpoints, reports."""

import functools

import jax
import numpy as np

from dnajax.evaluators import drawn
from dnajax.shell import errors
from dnajax.training import centre, loop, report


class Events:
  """Everything that a run does besides updates."""

  def __init__(self, plan, *, evaluators, checkpointer, writers, say, stopping, first_step):
    """plan: config.plan.Plan. evaluators: name -> () -> evaluator, made when first due.
    checkpointer: workdir.checkpointing.Checkpointer. writers: of metrics. say: called
    with a line for people. stopping: stopping.Stopping. first_step: updates done."""
    self._task, self._meta = plan.task, plan.meta
    self._evaluators = {name: functools.cache(make) for name, make in evaluators.items()}
    self._checkpointer, self._writers, self._say = checkpointer, writers, say
    self._best = plan.experiment.checkpoint.best
    self._centre = centre.Centre(plan)
    self._report = report.TrainReport(
        plan.task, plan.learning_rate, batch_size=plan.experiment.batch_size,
        total_steps=plan.experiment.total_steps, first_step=first_step)
    self._phrase = None
    self.must_stop = stopping.must_stop

  def evaluate(self, name, step, state):
    """Runs an evaluator and writes its values; returns the state to go on with.

    The evaluator that a curriculum listens to may switch it.
    """
    runner = self._evaluators[name]()
    with self._pause(state):
      found = [one.of(name) for one in runner.run(state.params)]
      images = self._images(name, runner)
    values = {one.name: one.value for one in found}
    if step == 0 and self._best.startswith(f"{name}/") and self._best not in values:
      raise errors.UserError(f"config.checkpoint.best={self._best!r}: {name} reports "
                             f"{', '.join(values)}.")
    progress = self._task.observe(name, values.get(f"{name}/perplexity"), state.progress,
                                  step)
    if progress is not state.progress:
      state = state.replace(progress=jax.tree.map(
          lambda new, old: jax.device_put(new, old.sharding), progress, state.progress))
      found += self._task.stage(progress, step)[1]
    self._write(step, found)
    for writer in self._writers:
      if images and writer.draws:
        writer.draw(step, images)
    self._say_stage(step, state)
    return state

  def save(self, step, state):
    """Saves a checkpoint, unless the loss is no longer a number."""
    self._check_finite(step, jax.device_get(state.sums))
    with self._pause(state):
      self._checkpointer.save(
          step, state, {**self._meta, "centre": self._centre.of(state.params)})

  def report(self, step, state):
    """Writes the means since the last report; returns the state to go on with."""
    self._checkpointer.raise_errors()
    sums = {name: float(x) for name, x in jax.device_get(state.sums).items()}
    self._check_finite(step, sums)
    self._write(step, self._report.metrics(step, sums)
                + self._task.stage(state.progress, step)[1])
    self._say_stage(step, state)
    return state.replace(sums=jax.tree.map(
        lambda x: jax.device_put(np.zeros((), np.float32), x.sharding), state.sums))

  def _say_stage(self, step, state):
    phrase, _ = self._task.stage(state.progress, step)
    if phrase != self._phrase and phrase:
      self._say(f"step {step}: {phrase}")
    self._phrase = phrase

  def _pause(self, state):
    # Updates run asynchronously: those that are still on their way are training.
    jax.block_until_ready(state.step)
    return self._report.pause()

  def _write(self, step, found):
    for writer in self._writers:
      writer.write(step, found)

  def _images(self, name, runner):
    """{name: [H, W, 3]} of what an evaluator drew, if a writer wants that."""
    if not any(writer.draws for writer in self._writers):
      return {}
    try:
      return {f"figures/{stem}": drawn.pixels(figure)
              for stem, figure in drawn.figures(name, runner).items()}
    except Exception as error:  # a picture is no reason to lose a run
      self._say(f"warning: no figure of {name}: {error}")
      return {}

  def _check_finite(self, step, sums):
    if loop.is_finite(sums):
      return
    last = self._checkpointer.latest_step()
    raise errors.UserError(
        f"The loss or the gradient stopped being finite in steps "
        f"{self._report.last_step + 1}..{step}. "
        + (f"The checkpoint of step {last} is untouched. " if last is not None
           else "No checkpoint had been written. ")
        + "Lower config.optimizer.learning_rate, set config.optimizer.clip_norm "
        "or use config.encoder.dtype='float32', in another --workdir.")
