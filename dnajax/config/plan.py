"""Config -> everything built, once."""

import dataclasses
from collections.abc import Callable

import jax

from dnajax.config import data_set, model, resolve
from dnajax.config import experiment as experiment_lib
from dnajax.data import random_split, records
from dnajax.devices import partitioning
from dnajax.masking import bound, find
from dnajax.training import state as state_lib
from dnajax.training import step as step_lib
from dnajax.training import task as task_lib
from dnajax.workdir import meta as meta_lib


@dataclasses.dataclass(frozen=True, eq=False)
class Plan:
  """What a config means; nothing is allocated on a device yet."""
  experiment: experiment_lib.Experiment  # with what was found on the data
  found: list                        # lines that say it
  split: records.Split               # that is trained on
  model: model.ModelSpec
  task: task_lib.Task
  mesh: jax.sharding.Mesh
  make_state: Callable               # () -> TrainState
  abstract: state_lib.TrainState     # shapes
  sharding: state_lib.TrainState     # how they lie on the mesh
  learning_rate: Callable            # step -> rate
  train_step: Callable               # compiled at its first call
  meta: dict                         # what every checkpoint says about itself
  bind_masking: Callable             # masking.settings.Masking -> BoundMasking

  @property
  def tokenizer(self):
    """Of the model."""
    return self.model.tokenizer

  @property
  def num_slots(self):
    """Positions of a row that the encoder works on in training."""
    return self.task.masking.num_kept if self.task.masking else self.tokenizer.num_tokens

  def step_flops(self):
    """Floating-point operations of one update: forward, and twice that backward.

    Products with weights and of attention count; embeddings, norms and softmax do not,
    nor what rematerialisation computes again.
    """
    one, masking = self.experiment, self.task.masking
    return 3 * one.batch_size * one.objective.flops_per_row(
        one.encoder, self.tokenizer, num_kept=self.num_slots,
        num_scored=masking.num_scored if masking else 0)

  def initial_params(self):
    """The random parameters that this training begins with."""
    return state_lib.random_params(self.task, self.experiment.seed)

  def compile_step(self, **options):
    """The compiled update, from shapes alone; options: of the compiler, by their names."""
    batch = step_lib.batch_shapes(self.task, self.experiment.batch_size,
                                  self.tokenizer.read_length)
    with partitioning.use(self.mesh):
      return self.train_step.lower(self.abstract, batch).compile(
          compiler_options=options or None)


def make(values, *, own_config=None, split=None):
  """The Plan of a config; what is wrong with it is said before data are made.

  Args:
    values: ConfigDict or nested dict.
    own_config: config that the run itself has stored, if it is resumed.
    split: stands in for the records of config.data: in benchmarks and reports of shapes.

  Raises:
    UserError: something in the config or the data set is wrong.
  """
  experiment = resolve.take_encoder(experiment_lib.read(values), own_config)
  experiment_lib.check(experiment)
  mesh = partitioning.make_mesh(dataclasses.asdict(experiment.mesh))
  partitioning.check_batch(experiment.batch_size, mesh, experiment.accumulate_steps)
  if split is None:
    split = records.open_split(data_set.directory(experiment.data), experiment.split)
  num_labels, found = resolve.labels(experiment.losses, split)
  experiment, lines = resolve.alignment(experiment, split)
  found = found + lines
  experiment = resolve.length(experiment, split.num_records)
  spec = model.ModelSpec(
      tokens=experiment.tokens, max_length=experiment.data.max_length,
      encoder=experiment.encoder, objective=experiment.objective,
      losses=experiment.losses, num_labels=num_labels)
  bind = Bind(spec, split)
  if experiment.masking is not None:
    settings, lines = bind.find(experiment.masking)
    experiment = dataclasses.replace(experiment, masking=settings)
    found = found + lines
  task = _task(experiment, spec, bind)
  make_state, abstract, sharding, optimizer, learning_rate = state_lib.create(
      task, experiment.optimizer, mesh, seed=experiment.seed,
      batch_size=experiment.batch_size, total_steps=experiment.total_steps,
      sum_names=step_lib.sum_names(task, step_lib.batch_shapes(
          task, experiment.batch_size, spec.tokenizer.read_length)))
  train_step = step_lib.jit_train_step(
      step_lib.make_train_step(task, optimizer, num_parts=experiment.accumulate_steps),
      task, mesh=mesh, state_sharding=sharding)
  return Plan(
      experiment=experiment, found=found, split=split, model=spec, task=task, mesh=mesh,
      make_state=make_state, abstract=abstract, sharding=sharding,
      learning_rate=learning_rate, train_step=train_step, bind_masking=bind.found,
      meta=meta_lib.make(experiment.to_dict(), spec, split,
                         ranks=task.masking.ranks if task.masking else None,
                         labels=task.labels))


@dataclasses.dataclass(frozen=True, eq=False)
class Trained:
  """What an evaluation may want of the training behind a checkpoint."""
  experiment: experiment_lib.Experiment  # without evals
  task: task_lib.Task
  bind_masking: Callable
  initial_params: Callable   # () -> the random parameters that the run began with


def of_meta(meta, data_dir=None):
  """What a checkpoint's meta says of its training; no mesh, no optimizer, no evaluators.

  Args:
    meta: of the checkpoint.
    data_dir: where the prepared data lies now; default config.data.dir.
  """
  experiment = experiment_lib.read({**meta["config"], "evals": {}})
  if data_dir:
    experiment = dataclasses.replace(
        experiment, data=dataclasses.replace(experiment.data, dir=str(data_dir)))
  spec = model.from_dict(meta["model"])
  bind = Bind(spec, records.open_split(
      records.find(experiment.data.dir, experiment.data.name), experiment.split))
  task = _task(experiment, spec, bind)
  return Trained(experiment, task, bind.found, lambda: state_lib.random_params(
      task, experiment.seed))


def _task(experiment, spec, bind):
  return task_lib.Task(
      spec.module, spec.tokenizer, experiment.objective, bind.losses(experiment.losses),
      None if experiment.masking is None else bind(experiment.masking),
      experiment.total_steps)


class Bind:
  """Masking settings and losses -> bound to the tokens and the data of a run."""

  def __init__(self, spec, split):
    """spec: model.ModelSpec. split: records.Split that is trained on."""
    self._tokenizer, self._split = spec.tokenizer, split
    self._score_unselected = any(loss.scores_visible for loss in spec.losses.values())
    self._tables = {}  # PMI ranks, read once

  def find(self, settings):
    """(settings with what they leave to be found on the data, lines that say it)."""
    return find.resolve(settings, self._tokenizer, self._ranks(settings), self._split)

  def __call__(self, settings):
    """masking.settings.Masking, complete -> masking.bound.BoundMasking."""
    return bound.bind(settings, self._tokenizer, ranks=self._ranks(settings),
                      score_unselected=self._score_unselected)

  def found(self, settings):
    """Both, one after the other."""
    return self(self.find(settings)[0])

  def losses(self, losses):
    """{name: part} -> {name: part with what it needs to know of the data}."""
    return {name: loss.bind(self._split) for name, loss in losses.items()}

  def _ranks(self, settings):
    name = settings.pmi_table
    if name and isinstance(self._split, random_split.RandomSplit):
      return self._split.pmi_ranks(self._tokenizer.vocabulary.size)
    if name not in self._tables:
      ranks = find.load_ranks(settings, self._tokenizer, self._split.directory)
      if not name:
        return ranks  # None, unless that is an error
      self._tables[name] = ranks
    return self._tables[name]
