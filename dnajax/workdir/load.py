"""The one door to a trained run, for whoever uses its model."""

import dataclasses
import hashlib
import json
from typing import Any

import jax
import numpy as np

from dnajax.config import model as model_lib
from dnajax.shell import errors, files
from dnajax.workdir import checkpointing, metrics


@dataclasses.dataclass(frozen=True, eq=False)
class Trained:
  """A model with its parameters. Nothing of the config it was trained with is checked."""
  step: int       # updates done
  model: model_lib.ModelSpec
  params: Any     # nested dict of numpy arrays
  meta: dict      # see workdir.meta
  is_best: bool   # the step was chosen by config.checkpoint.best

  @property
  def tokenizer(self):
    """Of the model."""
    return self.model.tokenizer

  @property
  def module(self):
    """Linen module of the model."""
    return self.model.module

  @property
  def cleaning(self):
    """How the sequences were cleaned, dict of data_pipelines.cleaning.Cleaning."""
    return self.meta["cleaning"]


def load(path, *, step="best"):
  """A run's model, ready to be used.

  Args:
    path: workdir of a finished or running training.
    step: "best", the saved step where the value that config.checkpoint.best names is
      lowest, the latest if it names none; "latest"; or a number.

  Returns:
    Trained.

  Raises:
    UserError: no workdir, no checkpoint, no such step, another format, or damaged files.
  """
  chosen, is_best = find_step(path, step)
  meta = checkpointing.read_meta(path, chosen)
  return Trained(step=chosen, model=model_lib.from_dict(meta["model"]),
                 params=checkpointing.load_params(path, chosen), meta=meta,
                 is_best=is_best)


def fingerprint(trained):
  """16 hex digits that stand for a model and its parameters."""
  digest = hashlib.sha256(json.dumps(trained.meta["model"], sort_keys=True).encode())
  for path, leaf in jax.tree_util.tree_leaves_with_path(trained.params):
    digest.update(jax.tree_util.keystr(path).encode())
    digest.update(np.ascontiguousarray(leaf).tobytes())
  return digest.hexdigest()[:16]


def read_model(path, *, step="best"):
  """The config.model.ModelSpec of a run, without its parameters; errors as of `load`."""
  chosen, _ = find_step(path, step)
  return model_lib.from_dict(checkpointing.read_meta(path, chosen)["model"])


def find_step(path, step="best"):
  """Which saved step is meant.

  Returns:
    (step, whether it was chosen by config.checkpoint.best).

  Raises:
    UserError: as of `load`.
  """
  if not files.path(path).is_dir():
    raise errors.UserError(f"There is no workdir {path}. Give the directory that was "
                           "--workdir of dnajax.main.")
  steps = checkpointing.saved_steps(path)
  if not steps:
    raise errors.UserError(
        f"{path} has no checkpoint. Give the --workdir of a dnajax.main run "
        "that has saved at least once (config.checkpoint.every_steps).")
  if step not in ("best", "latest"):
    return _numbered(path, step, steps), False
  if step == "best":
    name = checkpointing.read_meta(path, steps[-1])["config"]["checkpoint"]["best"]
    best = metrics.lowest(metrics.path(path), name, steps) if name else None
    if best is not None:
      return best, True
  return steps[-1], False


def _numbered(path, step, steps):
  try:
    number = int(step)
  except ValueError as error:
    raise errors.UserError(
        f"step={step!r} must be best, latest or a number.") from error
  if number not in steps:
    raise errors.UserError(f"{path} has no checkpoint of step {number}. It has: "
                           f"{', '.join(map(str, steps))}.")
  return number
