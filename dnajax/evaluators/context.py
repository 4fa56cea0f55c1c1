"""What an evaluator may use besides its own keys."""

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any

from dnajax.data import records


@dataclasses.dataclass(frozen=True)
class Context:
  """The run that is evaluated.

  Attributes:
    model: has `tokenizer` and `module`, as config.model.ModelSpec.
    data_directory: of the prepared data set, see `records.find`.
    fingerprint: of that data set when the run began; None: whatever is found.
    train_split: name of the split that was trained on.
    task: training.task.Task, what an update computes; None where no evaluator
      `needs_task`.
    bind_masking: masking.settings.Masking -> BoundMasking, with what has to be found
      on the training records found.
    seed: of the run.
    mesh: jax Mesh, or None for one device.
    evals: {name: Evaluator}, where a harmonic mean finds what it is made of.
    cache: of `labelled.encode` and of what other entries said.
  """
  model: Any
  data_directory: pathlib.Path | str
  fingerprint: str | None = None
  train_split: str = "train"
  task: Any = None
  bind_masking: Callable | None = None
  seed: int = 0
  mesh: Any = None
  evals: dict = dataclasses.field(default_factory=dict)
  cache: dict = dataclasses.field(default_factory=dict)

  def split(self, name):
    """records.Split of that name; UserError if there is none, or the data set has changed."""
    return records.open_split(self.data_directory, name, self.fingerprint)

  @property
  def length(self):
    """Base pairs of a record that are read."""
    return self.model.tokenizer.length


def of_plan(plan):
  """The Context of a run that is training.

  Args:
    plan: config.plan.Plan.
  """
  return Context(
      model=plan.model, data_directory=plan.split.directory,
      fingerprint=plan.split.fingerprint, train_split=plan.split.name,
      task=plan.task, bind_masking=plan.bind_masking, seed=plan.experiment.seed,
      mesh=plan.mesh, evals=plan.experiment.evals)
