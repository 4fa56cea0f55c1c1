"""Checkpoints: the only importer of orbax.

A step holds three items: `params`, `state` (optimizer, key, step, sums) and
`meta` (JSON). Whoever only wants the encoder reads `params` and `meta`: no
training config, optimizer or device count is needed.
"""

import contextlib
import logging
import pathlib

import jax
import numpy as np
import orbax.checkpoint as ocp

from dnajax import errors


class Checkpointer:
  """Saves and restores the full train state of a run."""

  def __init__(self, workdir, *, keep):
    """workdir: of the run; checkpoints go below it. keep: how many stay."""
    logging.getLogger("absl").setLevel(logging.ERROR)
    self._folder = _folder(workdir)
    self._manager = ocp.CheckpointManager(
        self._folder,
        options=ocp.CheckpointManagerOptions(
            max_to_keep=keep, create=True, enable_async_checkpointing=True),
        # Named handlers: without them a new process cannot look at what is saved.
        item_handlers={"params": ocp.StandardCheckpointHandler(),
                       "state": ocp.StandardCheckpointHandler(),
                       "meta": ocp.JsonCheckpointHandler()})

  def latest_step(self):
    """Updates done at the newest complete checkpoint; None if there is none."""
    return self._manager.latest_step()

  def save(self, step, state, meta):
    """Copies the state to the host and writes it while training goes on."""
    if step in self._manager.all_steps():
      return
    self._manager.save(step, args=ocp.args.Composite(
        params=ocp.args.StandardSave(state.params),
        state=ocp.args.StandardSave(state.replace(params=None)),
        meta=ocp.args.JsonSave(meta)))

  def meta(self, step):
    """The meta item of a step; UserError if its files are damaged."""
    with _told(self._folder, step):
      return self._manager.restore(
          step, args=ocp.args.Composite(meta=ocp.args.JsonRestore())).meta

  def restore(self, step, abstract_state, sharding):
    """The TrainState of a step, laid out as `sharding` says.

    Raises:
      UserError: names every parameter whose shape or presence differs; or files
        are damaged.
    """
    with _told(self._folder, step):
      saved = self._manager.item_metadata(step)["params"]
    mismatch = explain_mismatch(abstract_state.params, saved)
    if mismatch:
      raise errors.UserError(
          f"The checkpoint of step {step} does not fit the model:\n{mismatch}\n"
          "Use the config the run was started with, or another --workdir.")
    target = jax.tree.map(
        lambda x, s: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=s),
        abstract_state, sharding)
    with _told(self._folder, step):
      restored = self._manager.restore(step, args=ocp.args.Composite(
          params=ocp.args.StandardRestore(target.params),
          state=ocp.args.StandardRestore(target.replace(params=None))))
    return restored.state.replace(params=restored.params)

  def close(self):
    """Waits until everything is written."""
    self._manager.wait_until_finished()
    self._manager.close()


def saved_steps(workdir):
  """Steps of a run that have a complete checkpoint, increasing."""
  return sorted(int(path.name) for path in _folder(workdir).glob("*")
                if path.name.isdigit())


def _folder(workdir):
  return pathlib.Path(workdir).resolve() / "checkpoints"


@contextlib.contextmanager
def _told(folder, step):
  """What a damaged checkpoint makes the reader raise -> UserError with a remedy."""
  try:
    yield
  except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
    before = [int(path.name) for path in folder.glob("*")
              if path.name.isdigit() and int(path.name) < step]
    remedy = (f"Move it away, and the one of step {max(before)} is taken." if before else
              "No older one is there.")
    raise errors.UserError(f"Cannot read the checkpoint {folder / str(step)}: files in it "
                           f"are damaged or missing ({error}). {remedy}") from error


def load_params(workdir, step=None):
  """Parameters of a run as host arrays, without any training code.

  Args:
    workdir: of a finished or running training.
    step: which checkpoint; default the newest.

  Returns:
    (step, nested dict of numpy arrays, meta dict).

  Raises:
    UserError: no workdir, no checkpoint, no such step, or damaged files.
  """
  logging.getLogger("absl").setLevel(logging.ERROR)
  folder, steps = _folder(workdir), saved_steps(workdir)
  if not steps:
    raise errors.UserError(
        f"{workdir} has no checkpoint. Give the --workdir of a dnajax.main run "
        "that has saved at least once (config.checkpoint.every_steps).")
  if step is None:
    step = steps[-1]
  elif step not in steps:
    raise errors.UserError(f"{workdir} has no checkpoint of step {step}. It has: "
                           f"{', '.join(map(str, steps))}.")
  with _told(folder, step):
    with ocp.Checkpointer(ocp.CompositeCheckpointHandler()) as reader:
      shapes = reader.metadata(folder / str(step)).item_metadata["params"]
      device = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
      target = jax.tree.map(
          lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=device),
          _plain(shapes))
      got = reader.restore(folder / str(step), args=ocp.args.Composite(
          params=ocp.args.StandardRestore(target),
          meta=ocp.args.JsonRestore()))
  return step, jax.tree.map(np.asarray, got.params), got.meta


def explain_mismatch(model, checkpoint):
  """Names every parameter the two trees disagree about; None if they agree."""
  model, checkpoint = _shapes(model), _shapes(_plain(checkpoint))
  lines = [f"  only in the model       {path}"
           for path in sorted(model.keys() - checkpoint.keys())]
  lines += [f"  only in the checkpoint  {path}"
            for path in sorted(checkpoint.keys() - model.keys())]
  lines += [f"  {path}: model {model[path]}, checkpoint {checkpoint[path]}"
            for path in sorted(model.keys() & checkpoint.keys())
            if model[path] != checkpoint[path]]
  return "\n".join(lines) or None


def _plain(metadata):
  return getattr(metadata, "tree", metadata)


def _shapes(tree):
  return {jax.tree_util.keystr(path, simple=True, separator="/"):
          tuple(leaf.shape)
          for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}
