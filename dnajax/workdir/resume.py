"""Whether a run may go on with the config it is given."""

from dnajax.devices import processes
from dnajax.shell import errors
from dnajax.workdir import checkpointing

# Where and how a run is computed and how often it is looked at, never what is computed.
FREE = ("mesh", "log", "checkpoint", "evals", "data.dir", "masking.pmi_table",
        "encoder.attention", "encoder.remat", "encoder.scan_unroll")

# What a run that goes on may change besides: how far it goes, and where the run that it
# began from lies now, which is not read again.
_AT_RESUMPTION = ("total_steps", "num_epochs", "init_from.workdir")


def own_config(workdir):
  """The config that a run has stored at its newest checkpoint whose meta is whole, or None."""
  for step in reversed(checkpointing.saved_steps(workdir)):
    try:
      return checkpointing.read_meta(workdir, step)["config"]
    except checkpointing.Damaged:
      continue
  return None


def find_step(workdir):
  """The newest checkpoint of a run that is whole; damaged ones behind it are moved away.

  What was trained after it is trained again, with the same outcome. With several processes
  all call it.

  Returns:
    (step, or None for a new run; lines that say what was damaged: in process 0).

  Raises:
    UserError: there are checkpoints, and all are damaged.
  """
  damage = []
  processes.on_first_process(lambda: damage.extend(_move_damaged(workdir)))
  return checkpointing.latest_step(workdir), damage


def _move_damaged(workdir):
  steps = checkpointing.saved_steps(workdir)
  found = []
  for step in reversed(steps):
    try:
      checkpointing.check(workdir, step)
      break
    except checkpointing.Damaged as error:
      found.append((step, error))
  if found and len(found) == len(steps):
    raise errors.UserError(f"{' '.join(error.what for _, error in found)} No checkpoint is "
                           "whole; to begin anew, give another --workdir.")
  return [f"WARNING: {error.what} It was moved to {checkpointing.set_aside(workdir, step)}, "
          f"and the run goes on from step {steps[-1 - len(found)]}." for step, error in found]


def fixed(config):
  """What decides the outcome of a run.

  Args:
    config: nested dict, as of meta["config"].

  Returns:
    {"a.b": value} without the keys in FREE; tuples are lists.
  """
  return {key: value for key, value in _flat(config).items() if not _is_in(key, FREE)}


def check(old_meta, new_meta, workdir, step):
  """Refuses to resume with another seed, batch, data set, model, ...

  Args:
    old_meta: meta of the checkpoint.
    new_meta: meta the run would write now.
    workdir: for the message.
    step: of the checkpoint.

  Returns:
    Text that says what the run goes on from.

  Raises:
    UserError: names every value that differs.
  """
  old, new = ({**fixed(meta["config"]),
               "data fingerprint": meta["data"]["fingerprint"],
               "PMI table fingerprint": meta["pmi_table"]}
              for meta in (old_meta, new_meta))
  lines = [f"{key}: the run has {old.get(key)!r}, now {new.get(key)!r}"
           for key in sorted(old.keys() | new.keys())
           if old.get(key) != new.get(key) and not _is_in(key, _AT_RESUMPTION)]
  if lines:
    raise errors.UserError(
        f"{workdir} holds a run that was started otherwise: {'; '.join(lines)}. Give the same "
        "values to resume it, or another --workdir.")
  origin, was = f"checkpoint of step {step}", old_meta["config"]["total_steps"]
  if was != new_meta["config"]["total_steps"]:
    origin += (f"; total_steps was {was}, the learning rate follows the new number "
               "from here on")
  return origin


def _is_in(key, keys):
  return any(key == one or key.startswith(f"{one}.") for one in keys)


def _flat(tree, prefix=""):
  flat = {}
  for key, value in tree.items():
    if isinstance(value, dict):
      flat.update(_flat(value, f"{prefix}{key}."))
    else:
      flat[prefix + key] = list(value) if isinstance(value, tuple) else value
  return flat
