"""A small state, saved as a training would."""

import json
from typing import Any

import flax.struct
import jax
import numpy as np
import optax

from dnajax.workdir import checkpointing, metrics

MODEL = dict(
    tokens=dict(k=3, stride=3), max_length=30,
    encoder=dict(name="transformer", width=8, depth=1, num_heads=2, mlp_width=16),
    objective=dict(name="masked_lm"), losses=dict(masked=dict(name="masked_prediction")))


@flax.struct.dataclass
class State:
  """What the workdir asks of a TrainState."""
  step: Any
  params: Any
  optimizer: Any
  progress: Any = None


def make(step, width=4):
  """A state whose values say its step."""
  params = {"encoder": {"kernel": np.full((3, width), step, np.float32),
                        "bias": np.arange(width, dtype=np.float32)}}
  return State(np.int32(step), params, optax.adam(0.1).init(params))


def meta(best="", **changes):
  """A meta item; `best`: of config.checkpoint."""
  return {"format": 2, "cleaning": {"trim": True}, "pmi_table": None,
          "model": MODEL, "data": {"fingerprint": "abc"}, "versions": {"dnajax": "0"},
          "config": {"seed": 0, "total_steps": 9, "checkpoint": {"best": best}}, **changes}


def save(workdir, steps, *, keep=9, best="", values=None, meta_item=None):
  """Saves a state at each step; values: {step: "dev/loss"}, written before its save."""
  workdir.mkdir(parents=True, exist_ok=True)
  checkpointer = checkpointing.Checkpointer(workdir, keep=keep, best=best)
  for step in steps:
    if values and step in values:
      with open(metrics.path(workdir), "a") as file:
        file.write(json.dumps({"step": step, "dev/loss": values[step]}) + "\n")
    checkpointer.save(step, make(step), meta_item or meta(best))
  checkpointer.close()


def restore(workdir, step, width=4):
  """The state of a step; the state to fill has kernels of this width."""
  checkpointer = checkpointing.Checkpointer(workdir, keep=9)
  abstract = jax.eval_shape(lambda: make(0, width))
  device = jax.sharding.SingleDeviceSharding(jax.devices()[0])
  try:
    return checkpointer.restore(step, abstract, jax.tree.map(lambda _: device, abstract))
  finally:
    checkpointer.close()
