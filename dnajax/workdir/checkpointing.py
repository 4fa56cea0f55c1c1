"""Checkpoints: the only importer of orbax.

A step holds three items: `params`, `state` (optimizer, key, step, sums) and
`meta` (JSON). Whoever only wants the encoder reads `params` and `meta`: no
training config, optimizer or device count is needed. Every file of an item is
compared with its SHA-256 before it is used.
"""

import contextlib
import dataclasses
import itertools
import json
import logging

import jax
import numpy as np
import orbax.checkpoint as ocp
from etils import epath

from dnajax.devices import processes
from dnajax.shell import errors, files
from dnajax.workdir import integrity, metrics
from dnajax.workdir import meta as meta_lib

_NAMES = ocp.path.step.standard_name_format()


class Checkpointer:
  """Saves and restores the full train state of a run.

  With several processes, each makes one and calls its methods at the same steps.
  """

  def __init__(self, workdir, *, keep, best=""):
    """
    Args:
      workdir: of the run; checkpoints go below it. What an interrupted save has left
        there is removed.
      keep: how many of the newest stay.
      best: name of a value in metrics.jsonl; the step where it is lowest stays too.
    """
    self._workdir, self._folder = workdir, _folder(workdir)
    self._saving = None  # the step whose files are being written
    policies = ocp.checkpoint_managers
    keeps = [policies.LatestN(keep)]
    if best:
      keeps.append(_Best(metrics.path(workdir), best))
    _hush()
    self._manager = _Manager(
        self._folder,
        options=ocp.CheckpointManagerOptions(
            create=True, cleanup_tmp_directories=True,
            preservation_policy=policies.AnyPreservationPolicy(keeps),
            # Called by process 0 when all have written, before the commit.
            async_options=ocp.AsyncOptions(post_finalization_callback=self._write_sums)),
        item_handlers={"params": ocp.StandardCheckpointHandler(),
                       "state": ocp.StandardCheckpointHandler(),
                       "meta": ocp.JsonCheckpointHandler()})

  def latest_step(self):
    """Updates done at the newest complete checkpoint; None if there is none."""
    return self._manager.latest_step()

  def save(self, step, state, meta):
    """Copies the state to the host and writes it while training goes on.

    Args:
      step: updates done. Nothing happens if it is saved already.
      state: has `params` and `replace`, as a flax.struct dataclass.
      meta: see `workdir.meta`.
    """
    if step in self._manager.all_steps():
      return
    with files.written(self._folder):
      self._manager.wait_until_finished()  # before the next line: the last save reads it
      self._saving = step
      self._manager.save(step, force=True, args=ocp.args.Composite(
          params=ocp.args.StandardSave(state.params),
          state=ocp.args.StandardSave(state.replace(params=None)),
          meta=ocp.args.JsonSave(meta)))

  def raise_errors(self):
    """Raises what has stopped a save in the background, as a full disk."""
    with files.written(self._folder):
      self._manager.check_for_errors()

  def meta(self, step):
    """The meta item of a step; UserError if its files are damaged."""
    return read_meta(self._workdir, step)

  def restore(self, step, abstract_state, sharding, *, is_checked=False):
    """The TrainState of a step, laid out as `sharding` says.

    Args:
      step: of the checkpoint.
      abstract_state: shapes and types.
      sharding: tree of NamedSharding.
      is_checked: whether `check` has just been called for it.

    Raises:
      UserError: names every file that is damaged, or every array whose shape or
        presence differs.
    """
    if not is_checked:
      # Process 0 reads all bytes once more for the sums; the others need not.
      processes.on_first_process(lambda: _check(self._workdir, step, "params", "state"))
    target = jax.tree.map(
        lambda x, s: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=s),
        abstract_state, sharding)
    wanted = {"params": target.params, "state": target.replace(params=None)}
    path = _step_path(self._workdir, step)
    for item, tree in wanted.items():
      mismatch = explain_mismatch(tree, _saved_tree(path / item))
      if mismatch:
        raise errors.UserError(
            f"The checkpoint of step {step} does not fit the {_WHAT[item]}: {mismatch}. "
            "Use the config the run was started with, or another --workdir.")
    with _reader(ocp.StandardCheckpointHandler()) as reader:
      got = {item: reader.restore(path / item, args=ocp.args.StandardRestore(tree))
             for item, tree in wanted.items()}
    return got["state"].replace(params=got["params"])

  def close(self):
    """Waits until everything is written."""
    with files.written(self._folder):
      self._manager.wait_until_finished()
      self._manager.close()

  def _write_sums(self):
    integrity.write(ocp.path.step.find_step_path(
        self._folder, _NAMES, step=self._saving, include_uncommitted=True))


_WHAT = {"params": "model", "state": "optimizer"}
_MOST = 40  # arrays that a message names


class _Manager(ocp.CheckpointManager):
  """Of orbax, but asks nobody whether the run is to be stopped.

  JAX wants that question asked with the step that training is at; orbax asks it from a
  background thread with the step of the last save, after which the processes would agree
  on a step that some of them have passed.
  """

  def reached_preemption(self, step):
    del step
    return False


@dataclasses.dataclass
class _Best:
  """Preserves the step with the lowest value of one name in metrics.jsonl."""
  path: epath.Path
  name: str

  def should_preserve(self, checkpoints, *, context):
    """One bool for each checkpoint."""
    del context
    steps = [checkpoint.step for checkpoint in checkpoints]
    best = metrics.lowest(self.path, self.name, steps)
    return [step == best for step in steps]


class Damaged(errors.UserError):
  """Files of a checkpoint are not what was written; `what` says which."""

  def __init__(self, what, remedy):
    """what, remedy: sentences."""
    super().__init__(f"{what} {remedy}")
    self.what = what


def check(workdir, step):
  """Compares all files of a step with their sums.

  Raises:
    Damaged: names every file that is not what was written.
    UserError: it is of another format.
  """
  read_meta(workdir, step)
  _check(workdir, step, "params", "state")


def set_aside(workdir, step):
  """Moves a step out of the way; returns where it lies now."""
  folder = files.absolute(workdir) / "damaged"
  folder.mkdir(exist_ok=True)
  place = next(path for n in itertools.count()
               if not (path := folder / (f"{step}.{n}" if n else f"{step}")).exists())
  _step_path(workdir, step).rename(place)
  return place


def saved_steps(workdir):
  """Steps of a run that have a complete checkpoint, increasing."""
  return sorted(found.step for found in _NAMES.find_all(_folder(workdir)))


def latest_step(workdir):
  """The newest of `saved_steps`; None if there is none."""
  return max(saved_steps(workdir), default=None)


def read_meta(workdir, step):
  """The meta item of a step.

  Raises:
    UserError: it is of another format, or its files are damaged.
  """
  path = _step_path(workdir, step)
  if not (path / integrity.NAME).exists():
    # Older formats had no sums; what cannot be read at all is told as damage below.
    with contextlib.suppress(OSError, ValueError, KeyError):
      meta_lib.check_format(_read_json(path), workdir)
  _check(workdir, step, "meta")
  meta = _read_json(path)
  meta_lib.check_format(meta, workdir)
  return meta


def load_params(workdir, step):
  """Parameters of a saved step as a nested dict of numpy arrays, without training code.

  Raises:
    UserError: names every file that is damaged.
  """
  _check(workdir, step, "params")
  path = _step_path(workdir, step) / "params"
  device = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
  target = jax.tree.map(
      lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=device), _saved_tree(path))
  with _reader(ocp.StandardCheckpointHandler()) as reader:
    return jax.tree.map(np.asarray,
                        reader.restore(path, args=ocp.args.StandardRestore(target)))


def explain_mismatch(model, checkpoint):
  """Names every array the two trees disagree about; None if they agree."""
  model, checkpoint = _shapes(model), _shapes(checkpoint)
  lines = [f"only in the model {path}"
           for path in sorted(model.keys() - checkpoint.keys())]
  lines += [f"only in the checkpoint {path}"
            for path in sorted(checkpoint.keys() - model.keys())]
  lines += [f"{path}: model {model[path]}, checkpoint {checkpoint[path]}"
            for path in sorted(model.keys() & checkpoint.keys())
            if model[path] != checkpoint[path]]
  more = [f"{len(lines) - _MOST} more"] if len(lines) > _MOST else []
  return "; ".join(lines[:_MOST] + more) or None


def _check(workdir, step, *items):
  """UserError with a remedy if a file of these items is not what was written."""
  path = _step_path(workdir, step)
  found = integrity.damage(path, items)
  if found:
    older = [other for other in saved_steps(workdir) if other < step]
    remedy = (f"Move that folder away, and the checkpoint of step {max(older)} is taken."
              if older else "No older checkpoint is there.")
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    raise Damaged(f"The checkpoint {path} is damaged: {', '.join(found[:3])}{more}.", remedy)


def _read_json(path):
  # Not through orbax, which would wait for all processes: process 0 looks for a step alone.
  return json.loads((path / "meta" / "metadata").read_text("utf-8"))


def _reader(handler):
  _hush()
  return ocp.Checkpointer(handler)


def _hush():
  # Orbax warns of what is as it should be, such as shardings that are given, and prints the
  # traceback of an error that it raises later.
  for name in ("absl", "asyncio"):
    logging.getLogger(name).setLevel(logging.CRITICAL)


def _folder(workdir):
  return files.absolute(workdir) / "checkpoints"


def _step_path(workdir, step):
  return ocp.path.step.build_step_path(_folder(workdir), _NAMES, step)


def _saved_tree(path):
  """Shapes and types of a saved item."""
  _hush()
  return ocp.StandardCheckpointHandler().metadata(path).tree


def _shapes(tree):
  return {jax.tree_util.keystr(path, simple=True, separator="/"):
          tuple(leaf.shape)
          for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}
