"""Workdirs as a training leaves them, without the training: seconds instead of a minute."""

from typing import Any

import flax.struct

from dnajax.config import plan as plan_lib
from dnajax.training import centre
from dnajax.workdir import checkpointing


@flax.struct.dataclass
class State:
  """What a Checkpointer asks of a TrainState."""
  params: Any


def save(values, workdir, *, step=2):
  """Saves the random parameters that a training of these values would begin with."""
  plan = plan_lib.make(values)
  params = plan.initial_params()
  checkpointer = checkpointing.Checkpointer(workdir, keep=1)
  checkpointer.save(step, State(params), {
      **plan.meta, "centre": centre.Centre(plan).of(params)})
  checkpointer.close()
  return workdir
