"""TrainState and its sharded creation."""

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import struct

from dnajax import partitioning
from dnajax.masking import schedule as masking_schedule
from dnajax.training import optim, tasks


@struct.dataclass
class TrainState:
  """Everything an update changes or needs besides the batch."""
  step: jax.Array       # int32, updates done
  params: dict          # nested dict of float32 arrays
  opt_state: tuple      # of optax
  key: jax.Array        # key data [2] uint32; never changes, folded by step
  progress: masking_schedule.Progress | None  # of the curriculum cm_gems
  sums: dict            # of metrics since the last report; here so that a
  #                       resumed run reports what an uninterrupted one would


def init_params(model, config, derived):
  """Random parameters from config.seed, leaves boxed with logical axis names.

  Args:
    model: Linen module.
    config: ConfigDict.
    derived: Derived.

  Returns:
    Nested dict; `flax.linen.unbox` gives plain arrays.
  """
  init_key, _ = jax.random.split(jax.random.key(config.seed))
  return tasks.make(model, config, derived).init_params(init_key)


def make_optimizer(config, derived, params):
  """The optimizer and learning-rate schedule of a config.

  Returns:
    (optax.GradientTransformation, schedule: step -> learning rate).
  """
  schedule = optim.make_schedule(config.optimizer, config.total_steps,
                                 derived.peak_learning_rate)
  return optim.make_optimizer(config.optimizer, schedule, config.total_steps,
                              params), schedule


def create(model, config, derived, mesh):
  """Initial state on the devices of a mesh, and how it lies there.

  Returns:
    (make: () -> TrainState, abstract TrainState, its shardings, optimizer,
    schedule). `make` allocates; the rest does not.
  """
  abstract_params = jax.eval_shape(
      lambda: nn.unbox(init_params(model, config, derived)))
  task = tasks.make(model, config, derived)
  optimizer, schedule = make_optimizer(config, derived, abstract_params)

  def make_boxed():
    params = init_params(model, config, derived)
    _, run_key = jax.random.split(jax.random.key(config.seed))
    return TrainState(
        step=jnp.zeros((), jnp.int32), params=params,
        opt_state=optimizer.init(params), key=jax.random.key_data(run_key),
        progress=task.start(),
        sums={name: jnp.zeros((), jnp.float32) for name in task.sum_names})

  with partitioning.use(mesh):
    abstract, sharding = partitioning.abstract_and_sharding(make_boxed, mesh)
  make_unboxed = jax.jit(lambda: nn.unbox(make_boxed()), out_shardings=sharding)

  def make():
    with partitioning.use(mesh):
      return make_unboxed()

  return make, abstract, sharding, optimizer, schedule
