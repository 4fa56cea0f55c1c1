"""Whether an update fits into the memory there is: said before hours are lost, not after."""

import math

import jax

from dnajax.devices import host_memory
from dnajax.shell import errors

_SUSPICIOUS = 0.25   # of the memory; below, nothing is compiled only to ask


def check(plan):
  """UserError if the compiled update needs more memory than a device has.

  A compiler that is asked takes as long as the first update, so it is asked only where
  parameters and the largest array of a batch make it likely. On a CPU the kernel would end
  the process without a word.
  """
  room = device_bytes()
  if room is None or _least(plan) < _SUSPICIOUS * room:
    return
  memory = plan.compile_step().memory_analysis()
  if memory is None:
    return
  needed = memory.argument_size_in_bytes + memory.temp_size_in_bytes
  if needed > room:
    raise errors.UserError(
        f"config.batch_size={plan.experiment.batch_size}: an update needs "
        f"{needed / 2**30:,.1f} GiB on each device, which has {room / 2**30:,.1f} GiB. Make "
        "the batch smaller, set config.accumulate_steps, or spread it with config.mesh.")


def device_bytes():
  """Memory that is free on one device; None where nobody says it."""
  device = jax.local_devices()[0]
  if device.platform == "cpu":
    free = host_memory.available_bytes()
    return free and free / jax.local_device_count()
  stats = device.memory_stats() or {}
  return stats.get("bytes_limit")


def _least(plan):
  """Bytes on each device of the parameters, their moments and gradients, and of one number
  for each word of the vocabulary at each token."""
  state = sum(math.prod(sharding.shard_shape(x.shape)) * x.dtype.itemsize for x, sharding in zip(
      jax.tree.leaves(plan.abstract), jax.tree.leaves(plan.sharding), strict=True)
              if hasattr(x, "shape") and not jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key))
  one, tokenizer = plan.experiment, plan.tokenizer
  rows = one.batch_size / one.accumulate_steps / plan.mesh.devices.size
  return state + 4 * rows * tokenizer.num_tokens * tokenizer.vocabulary.size
