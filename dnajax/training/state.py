"""TrainState and its sharded creation."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import struct

from dnajax.devices import partitioning
from dnajax.training import optim


@struct.dataclass
class TrainState:
  """Everything an update changes or needs besides the batch."""
  step: jax.Array       # int32, updates done
  params: dict          # nested dict of float32 arrays
  opt_state: tuple      # of optax
  key: jax.Array        # key data [2] uint32; never changes, folded by step
  progress: Any         # of the curriculum; None for one without memory
  sums: dict            # of metrics since the last report; here so that a
  #                       resumed run reports what an uninterrupted one would


def init_params(task, seed):
  """Random parameters, leaves boxed with logical axis names.

  Args:
    task: training.task.Task, or config.model.ModelSpec.
    seed: config.seed.

  Returns:
    Nested dict; `flax.linen.unbox` gives plain arrays.
  """
  init_key, _ = jax.random.split(jax.random.key(seed))
  return task.init_params(init_key)


def random_params(task, seed):
  """`init_params` as arrays on the device."""
  return jax.jit(lambda: nn.unbox(init_params(task, seed)))()


def create(task, settings, mesh, *, seed, batch_size, total_steps, sum_names):
  """Initial state on the devices of a mesh, and how it lies there.

  Args:
    task: training.task.Task.
    settings: optim.Optimizer.
    mesh: see `partitioning.make_mesh`.
    seed: config.seed.
    batch_size, total_steps: of the run.
    sum_names: of the sums that an update adds up.

  Returns:
    (make: () -> TrainState, abstract TrainState, its shardings, optimizer,
    schedule). `make` allocates; the rest does not.
  """
  abstract_params = jax.eval_shape(lambda: nn.unbox(init_params(task, seed)))
  optimizer, schedule = optim.make(settings, batch_size=batch_size, total_steps=total_steps,
                                   params=abstract_params)

  def make_boxed():
    params = init_params(task, seed)
    _, run_key = jax.random.split(jax.random.key(seed))
    return TrainState(
        step=jnp.zeros((), jnp.int32), params=params,
        opt_state=optimizer.init(params), key=jax.random.key_data(run_key),
        progress=task.start(),
        sums={name: jnp.zeros((), jnp.float32) for name in sum_names})

  with partitioning.use(mesh):
    abstract, sharding = partitioning.abstract_and_sharding(make_boxed, mesh)
  make_unboxed = jax.jit(lambda: nn.unbox(make_boxed()), out_shardings=sharding)

  def make():
    with partitioning.use(mesh):
      return make_unboxed()

  return make, abstract, sharding, optimizer, schedule
