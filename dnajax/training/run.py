"""One training run: builds everything a config describes and trains."""

import dataclasses
import functools
import hashlib
import importlib.metadata
import pathlib
import signal
import types
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

import dnajax
from dnajax import checkpointing, errors, files, partitioning
from dnajax import config as config_lib
from dnajax.data import feed, loader, records
from dnajax.evaluators import base
from dnajax.masking import strategy
from dnajax.training import describe, loop, metrics, report, resume, tasks
from dnajax.training import state as state_lib
from dnajax.training import step as step_lib


def run(config, workdir, *, dry_run=False, profile_steps=0):
  """Trains, or resumes, or with `dry_run` only says what would happen.

  Args:
    config: ConfigDict as the files in configs/ make it.
    workdir: directory of the run, created if necessary.
    dry_run: stop after compiling the step from shapes alone.
    profile_steps: number of updates to trace into workdir/profile.

  Returns:
    Number of updates done so far, over all resumptions.

  Raises:
    UserError: something in the config, data or workdir is wrong, or the loss
      stopped being finite.
  """
  plan = _plan(config)
  config, task = plan.config, plan.task
  if dry_run:
    print(plan.summary("not made (dry run)"))
    print(describe.parameter_table(plan.abstract.params, plan.sharding.params))
    print(_compiled_memory(plan))
    return 0

  workdir = pathlib.Path(workdir)
  workdir.mkdir(parents=True, exist_ok=True)
  meta = make_meta(config, plan.derived, plan.split)
  checkpointer = checkpointing.Checkpointer(workdir, keep=config.checkpoint.keep)
  first_step = checkpointer.latest_step()
  if first_step is None:
    begin = _init_from if config.init_from else task.begin
    state, start = begin(plan.make_state(), config, plan.sharding)
  else:
    start = _check_resumable(checkpointer.meta(first_step), meta, workdir, first_step)
    state = checkpointer.restore(first_step, plan.abstract, plan.sharding)
  is_main = jax.process_index() == 0
  if is_main:
    files.write_text(workdir / "config.json", config_lib.to_json(config))
  console, writers = _writers(workdir, config, first_step) if is_main else (None, [])
  say = console.say if console else (lambda text: None)
  say(plan.summary(start))
  first_step = first_step or 0
  if first_step >= config.total_steps:
    say(f"Already trained for {first_step} of {config.total_steps} steps.")
    return first_step

  context = base.Context(config=config, derived=plan.derived, model=plan.model,
                         mesh=plan.mesh)
  events = Events(config, context, task, checkpointer, meta, plan.learning_rate, writers,
                  say, first_step)
  batches = make_batches(config, plan.derived, plan.mesh, plan.split, first_step,
                         label=task.label)
  train_step = plan.train_step
  if profile_steps:
    train_step = _profiled(train_step, workdir / "profile", profile_steps)
  try:
    with partitioning.use(plan.mesh), _sigterm(events):
      _, last = loop.train(state, train_step, batches, first_step=first_step,
                           total_steps=config.total_steps, every=_every(config),
                           events=events)
  finally:
    checkpointer.close()
  if last < config.total_steps:
    say(f"Stopped at step {last} as asked (SIGTERM); saved. The same command "
        "goes on from here.")
  return last


@dataclasses.dataclass(frozen=True)
class _Plan:
  """All that follows from a config and its data; nothing is allocated yet."""
  config: ml_collections.ConfigDict  # with what was found on the data
  found: list                        # lines that say it
  derived: config_lib.Derived
  mesh: jax.sharding.Mesh
  split: records.Split
  model: Any
  task: tasks.Task
  make_state: Callable
  abstract: state_lib.TrainState     # shapes
  sharding: state_lib.TrainState     # how they lie on the mesh
  learning_rate: Callable            # step -> rate
  train_step: Callable               # compiled at its first call

  def summary(self, start):
    """What will happen, for people; start: where the parameters come from."""
    return "\n".join([describe.run_summary(
        self.config, self.derived, self.mesh, self.split.num_records, start), *self.found])


def _plan(config):
  """The _Plan of a config; what is wrong is said before data are made."""
  config = config_lib.complete(config)
  config_lib.derive(config)
  mesh = partitioning.make_mesh(config.mesh)
  partitioning.check_batch(config.batch_size, mesh, config.accumulate_steps)
  split = records.open_split(data_directory(config), config_lib.split_name(config))
  config, found = tasks.kind(config).resolve(config, split)
  derived = config_lib.derive(config)
  model = config_lib.build_model(config, derived)
  task = tasks.make(model, config, derived)
  make_state, abstract, sharding, optimizer, learning_rate = state_lib.create(
      model, config, derived, mesh)
  train_step = step_lib.jit_train_step(
      step_lib.make_train_step(task, optimizer, num_parts=config.accumulate_steps),
      task, mesh=mesh, state_sharding=sharding)
  return _Plan(config=config, found=found, derived=derived, mesh=mesh, split=split,
               model=model, task=task, make_state=make_state, abstract=abstract,
               sharding=sharding, learning_rate=learning_rate, train_step=train_step)


def _every(config):
  """After how many steps what is due, as `loop.train` wants it."""
  return types.SimpleNamespace(
      evaluate={name: spec.every_steps for name, spec in config.evals.items()
                if spec.every_steps >= 0},  # the others: by dnajax.evaluate only
      checkpoint=config.checkpoint.every_steps, log=config.log.every_steps)


def _check_resumable(old_meta, meta, workdir, step):
  """Refuses to resume another run; else says what the run goes on from."""
  old_meta["config"] = config_lib.complete(
      config_lib.from_dict(old_meta["config"])).to_dict()
  resume.check_same_run(old_meta, meta, workdir)
  start, was = f"checkpoint of step {step}", old_meta["config"]["total_steps"]
  if was != meta["config"]["total_steps"]:
    start += (f"; total_steps was {was}, the learning rate follows the new number "
              "from here on")
  return start


class Events:
  """What happens when the loop says so."""

  def __init__(self, config, context, task, checkpointer, meta, learning_rate, writers,
               say, first_step):
    self._config, self._context, self._task = config, context, task
    self._checkpointer, self._meta, self._say = checkpointer, meta, say
    self._report = report.TrainReport(config, context.derived, task, learning_rate,
                                      first_step)
    self._writers, self._stage = writers, None
    self._zeros = {name: np.zeros((), np.float32) for name in task.sum_names}
    self.stop_requested = False

  @functools.cached_property
  def _evaluators(self):
    return {name: base.make(spec, self._context)
            for name, spec in self._config.evals.items() if spec.every_steps >= 0}

  def evaluate(self, name, step, state):
    """Runs an evaluator and writes its values; returns the state to go on with.

    The evaluator that a curriculum listens to may switch it.
    """
    with self._pause(state):
      values = {f"{name}/{key}": float(value) for key, value in
                self._evaluators[name].run(state.params)}
    progress = self._task.observe(name, values, state.progress, step)
    if progress is not state.progress:
      state = state.replace(progress=jax.tree.map(
          lambda new, old: jax.device_put(new, old.sharding), progress,
          state.progress))
      values |= self._task.stage(progress, step)[1]
    self._write(step, values)
    self._say_stage(step, state)
    return state

  def save(self, step, state):
    """Saves a checkpoint, unless the loss is no longer a number."""
    self._check_finite(step, jax.device_get(state.sums))
    with self._pause(state):
      self._checkpointer.save(step, state, self._meta)

  def report(self, step, state):
    """Writes the means since the last report; returns the state to go on with."""
    sums = {name: float(x) for name, x in jax.device_get(state.sums).items()}
    self._check_finite(step, sums)
    self._write(step, self._report.values(step, sums)
                | self._task.stage(state.progress, step)[1])
    self._say_stage(step, state)
    zeros = jax.tree.map(lambda zero, x: jax.device_put(zero, x.sharding),
                         self._zeros, state.sums)
    return state.replace(sums=zeros)

  def _say_stage(self, step, state):
    text, _ = self._task.stage(state.progress, step)
    if text != self._stage and text:
      self._say(f"step {step}: {text}")
    self._stage = text

  def _pause(self, state):
    # Updates run asynchronously: those that are still on their way are training.
    jax.block_until_ready(state.step)
    return self._report.pause()

  def must_stop(self, step):
    """Whether all processes agree to stop after this step."""
    if jax.process_count() == 1:
      return self.stop_requested
    from jax.experimental import multihost_utils
    return multihost_utils.reached_preemption_sync_point(step)

  def _write(self, step, values):
    for writer in self._writers:
      writer.write(step, values)

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
        "or use config.model.dtype='float32', in another --workdir.")


def make_meta(config, derived, split):
  """What a checkpoint says about itself, JSON-serialisable."""
  vocab = derived.vocabulary
  return {
      "config": config.to_dict(),
      "pmi_table": _ranks_fingerprint(config, derived),
      "vocabulary": {"k": vocab.k, "n_policy": vocab.n_policy,
                     "add_cls": vocab.add_cls},
      "ids": {"specials": list(vocab.specials), "letters": vocab.letters,
              "order": "specials, then k-mers, last letter fastest"},
      "data": {"name": config.data.name, "split": config.data.split,
               "num_records": split.num_records,
               "fingerprint": split.fingerprint,
               "order": "grain global shuffle of record numbers with config.seed"
                        ", repeated; batch of update n+1 is batch n"},
      "versions": {"dnajax": dnajax.__version__,
                   **{name: importlib.metadata.version(name) for name in
                      ("jax", "flax", "optax", "orbax-checkpoint", "grain")}}}


def _ranks_fingerprint(config, derived):
  if derived.masking is None:
    return None
  ranks = strategy.load_ranks(derived.masking, config.data, derived.vocabulary)
  return ranks if ranks is None else hashlib.sha256(ranks.tobytes()).hexdigest()[:16]


def data_directory(config):
  """Directory of the config's data set; generates it if it is absent and can be."""
  if config.data.is_generated:
    try:
      return records.find(config.data.dir, config.data.name)
    except errors.UserError:
      if jax.process_index() == 0:
        from data_pipelines import prepare  # only where data must be made
        print(f"Generating data set {config.data.name} in {config.data.dir}.")
        prepare.prepare_generated(config.data.name, config.data.dir)
      if jax.process_count() > 1:
        from jax.experimental import multihost_utils
        multihost_utils.sync_global_devices("generated data")
  return records.find(config.data.dir, config.data.name)


def _init_from(state, config, sharding):
  source = config.init_from
  step, params, _ = checkpointing.load_params(source)
  mismatch = checkpointing.explain_mismatch(state.params, params)
  if mismatch:
    raise errors.UserError(
        f"config.init_from={source} does not fit the model:\n{mismatch}")
  params = jax.tree.map(jax.device_put, params, sharding.params)
  return state.replace(params=params), f"{source}, step {step}"


def make_batches(config, derived, mesh, split, first_step, *, label=None):
  """Endless iterator of global training batches, from update first_step+1 on."""
  sharding = partitioning.batch_sharding(mesh)
  row_ids = feed.local_row_ids(sharding, config.batch_size)
  batches = loader.TrainBatches(split, batch_size=config.batch_size,
                                length=derived.read_length, seed=config.seed,
                                label=label)
  stream = batches.stream(first_step, row_ids)
  return feed.ahead(feed.to_global(rows, sharding, config.batch_size, row_ids)
                    for rows in stream)


def _writers(workdir, config, first_step):
  console = metrics.Console(workdir / "log.txt", config.total_steps)
  return console, [metrics.JsonLines(workdir / "metrics.jsonl",
                                     first_step=first_step),
                   console, *metrics.optional_writers(workdir)]


def _compiled_memory(plan):
  batch_size = plan.config.batch_size
  batch = {"bases": jax.ShapeDtypeStruct((batch_size, plan.derived.read_length),
                                         jnp.uint8)}
  if plan.task.label:
    batch["labels"] = jax.ShapeDtypeStruct((batch_size,), jnp.int32)
  with partitioning.use(plan.mesh):
    compiled = plan.train_step.lower(plan.abstract, batch).compile()
  return describe.compiled_memory(compiled)


def _profiled(train_step, directory, num_steps):
  """The same step; traces calls 3 .. 2 + num_steps (the first ones compile)."""
  calls = iter(range(1, 1 << 62))

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


class _sigterm:
  """While active, SIGTERM asks the loop to save and stop."""

  def __init__(self, events):
    self._events = events

  def __enter__(self):
    def ask(*_):
      self._events.stop_requested = True
    try:
      self._old = signal.signal(signal.SIGTERM, ask)
    except ValueError:  # not in the main thread: a notebook's own business
      self._old = None

  def __exit__(self, *_):
    if self._old is not None:
      signal.signal(signal.SIGTERM, self._old)
