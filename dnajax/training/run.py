"""One training run: the order of events around the loop."""

import contextlib
import types

import jax

from dnajax.config import listing
from dnajax.config import plan as plan_lib
from dnajax.devices import partitioning
from dnajax.evaluators import context as context_lib
from dnajax.shell import files
from dnajax.training import describe, loop, profiling, room, start, stopping
from dnajax.training import events as events_lib
from dnajax.training import input as input_lib
from dnajax.workdir import checkpointing, config_file, lock, metrics, resume


def dry_run(values):
  """Says what a config would do, compiles its update, and stops."""
  plan = plan_lib.make(values)
  print(listing.listing(plan.experiment))
  print(describe.parameter_table(plan.abstract.params, plan.sharding.params,
                                 plan.experiment.optimizer))
  print(describe.summary(plan, "not made (dry run)"))
  print(describe.compiled_memory(plan.compile_step()))


def run(values, workdir, *, profile_steps=0):
  """Trains, or resumes.

  Args:
    values: ConfigDict as the files in configs/ make it, or nested dict.
    workdir: directory of the run, created if necessary.
    profile_steps: number of updates to trace into workdir/profile.

  Returns:
    (updates done so far, over all resumptions; updates of the whole run).

  Raises:
    UserError: something in the config, data or workdir is wrong, another run trains in
      the workdir, or the loss stopped being finite.
  """
  workdir = files.path(workdir)
  plan = plan_lib.make(values, own_config=resume.own_config(workdir))
  workdir.mkdir(parents=True, exist_ok=True)
  with lock.held(workdir), contextlib.ExitStack() as at_end:
    room.check(plan)
    return _run(plan, workdir, profile_steps, at_end)


def _run(plan, workdir, profile_steps, at_end):
  experiment = plan.experiment
  resumed, damage = resume.find_step(workdir)
  checkpointer = checkpointing.Checkpointer(
      workdir, keep=experiment.checkpoint.keep, best=experiment.checkpoint.best)
  if resumed is None:
    state, origin = start.begin(plan)
  else:
    origin = resume.check(checkpointer.meta(resumed), plan.meta, workdir, resumed)
    state = checkpointer.restore(resumed, plan.abstract, plan.sharding, is_checked=True)
  first_step, total_steps = resumed or 0, experiment.total_steps
  writers, say = [], lambda text: None
  if jax.process_index() == 0:
    config_file.write(workdir, experiment.to_dict())
    writers, say = metrics.open_writers(
        workdir, total_steps=total_steps, first_step=resumed, config=experiment.to_dict(),
        log=experiment.log if first_step < total_steps else None)
    for writer in writers:
      at_end.callback(writer.close)
  for line in (*damage, describe.summary(plan, origin)):
    say(line)
  if first_step >= total_steps:
    say(f"Already trained for {first_step} of {total_steps} steps.")
    checkpointer.close()
    return first_step, total_steps
  context = context_lib.of_plan(plan)
  due = {name: part for name, part in experiment.evals.items() if part.every_steps >= 0}
  for name in dict.fromkeys(name for part in due.values() for name in part.splits):
    context.split(name).open()   # what is missing or damaged is said now, not hours later
  try:
    with partitioning.use(plan.mesh), stopping.Stopping() as asked:
      events = events_lib.Events(
          plan, evaluators={name: lambda part=part: part.build(context)
                            for name, part in due.items()},
          checkpointer=checkpointer, writers=writers, say=say, stopping=asked,
          first_step=first_step)
      _, last = loop.train(
          state, profiling.traced(plan.train_step, workdir / "profile", profile_steps),
          input_lib.batches(plan, first_step), first_step=first_step, total_steps=total_steps,
          every=types.SimpleNamespace(
              evaluate={name: part.every_steps for name, part in due.items()},
              checkpoint=experiment.checkpoint.every_steps, log=experiment.log.every_steps),
          events=events)
  finally:
    checkpointer.close()
  if last < total_steps:
    say(f"Stopped at step {last} as asked (SIGTERM); {'saved' if last else 'nothing to save'}. "
        "The same command goes on from here.")
  return last, total_steps
