"""One update, as a pure function."""

import types

import jax
import jax.numpy as jnp
import optax
from flax.core import meta

from dnajax.devices import partitioning


def make_train_step(task, optimizer, *, num_parts=1):
  """Returns (state, batch) -> state, pure and not yet jitted.

  batch is {"bases": [B, bp] uint8, "labels": {column: [B] int32}}. With
  num_parts = A the batch is worked on in A parts of B/A rows;
  masks are drawn for the whole batch and losses are divided by the whole
  batch's counts, so that A changes memory and time only (without dropout;
  dropout draws anew in each part).

  Args:
    task: training.task.Task.
    optimizer: optax.GradientTransformation.
    num_parts: config.accumulate_steps.
  """
  prepare = task.make_prepare()
  grad_fn = jax.grad(task.loss, has_aux=True)

  def train_step(state, batch):
    key = jax.random.fold_in(jax.random.wrap_key_data(state.key), state.step)
    data_key, dropout_key, stage_key = jax.random.split(key, 3)
    inputs, scales, counts = prepare(data_key, stage_key, batch, state)
    if num_parts == 1:
      grads, sums = grad_fn(state.params, inputs, dropout_key, scales)
    else:
      grads, sums = _accumulate(grad_fn, state.params, inputs, dropout_key,
                                scales, num_parts)
    updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
    sums = {**sums, **counts, "grad_norm": optax.tree.norm(grads),
            "updates": jnp.ones(())}
    return state.replace(
        step=state.step + 1,
        params=optax.apply_updates(state.params, updates),
        opt_state=opt_state,
        # Adding both ways round: a sum that only one side has is an error, not lost.
        sums=jax.tree.map(jnp.add, state.sums, sums))

  return train_step


def sum_names(task, batch):
  """Names of the sums of an update, without computing anything.

  Args:
    task: training.task.Task.
    batch: shapes of a batch of the run, see `batch_shapes`.
  """
  prepare = task.make_prepare()

  def sums(key, batch):
    params = meta.unbox(task.init_params(key))
    state = types.SimpleNamespace(progress=task.start(), step=jnp.zeros((), jnp.int32))
    inputs, scales, counts = prepare(key, key, batch, state)
    return {**task.loss(params, inputs, key, scales)[1], **counts}

  return (*jax.eval_shape(sums, jax.random.key(0), batch), "grad_norm", "updates")


def batch_shapes(task, batch_size, read_length):
  """Shapes of a training batch: {"bases", "labels"} of ShapeDtypeStruct."""
  return {"bases": jax.ShapeDtypeStruct((batch_size, read_length), jnp.uint8),
          "labels": {column: jax.ShapeDtypeStruct((batch_size,), jnp.int32)
                     for column in task.labels}}


def _accumulate(grad_fn, params, inputs, key, scales, num_parts):
  """Sums of grad_fn over parts; part a holds rows a, a + A, a + 2A, ...

  Taking every A-th row leaves each device with its own rows.
  """
  def split(x):
    return x.reshape(-1, num_parts, *x.shape[1:]).swapaxes(0, 1)

  def add_part(total, xs):
    part, part_key = xs
    return jax.tree.map(jnp.add, total,
                        grad_fn(params, part, part_key, scales)), None

  parts = jax.tree.map(split, inputs)
  keys = jax.random.split(key, num_parts)
  first = jax.tree.map(lambda x: x[0], parts)
  zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(
      grad_fn, params, first, keys[0], scales))
  return jax.lax.scan(add_part, zeros, (parts, keys))[0]


def jit_train_step(train_step, task, *, mesh, state_sharding):
  """The compiled update: state donated, batch sharded over its rows."""
  rows = partitioning.batch_sharding(mesh)
  batch = {"bases": rows, "labels": dict.fromkeys(task.labels, rows)}
  return jax.jit(train_step, in_shardings=(state_sharding, batch),
                 out_shardings=state_sharding, donate_argnames="state")
