"""Training step: rate, model FLOP/s, share of the matmul rate of this machine."""

import jax
import numpy as np

from dnajax import bases as base_codes
from dnajax import config as config_lib
from dnajax import partitioning
from dnajax.bench import timing
from dnajax.data import feed
from dnajax.masking import rate
from dnajax.training import state as state_lib
from dnajax.training import step as step_lib
from dnajax.training import tasks


def measure(config, *, rounds):
  """Times the training step of a config on random bases.

  A masked autoencoder is measured with its own corruption and, as reference,
  with `replace`, which runs the encoder over all positions.

  Args:
    config: ConfigDict.
    rounds: measurements of each figure.

  Returns:
    dict of figures; seconds, GFLOP/s, ratios. The matmul rate is the best of
    two: the shape of the feed-forward layers, and 4096 × 4096 × 4096 (2048 on
    a CPU), of all devices together.
  """
  mesh = partitioning.make_mesh(config.mesh)
  partitioning.check_batch(config.batch_size, mesh, config.accumulate_steps)
  corruptions = dict.fromkeys([config.masking.corruption, "replace"])
  calls, flops, sizes = {}, {}, {}
  for corruption in corruptions:
    one = config.copy_and_resolve_references()
    one.masking.corruption = corruption
    one, _ = rate.resolve(one, _RandomBases())  # as many slots as a run would have
    derived = config_lib.derive(one)
    calls[corruption] = _step_call(one, derived, mesh)
    flops[corruption] = step_flops(one, derived)
    sizes[corruption] = (derived.num_kept if corruption == "drop"
                         else derived.num_tokens)
  side = 2048 if jax.default_backend() == "cpu" else 4096
  model = config.model
  shapes = {"feed-forward": (config.batch_size * derived.num_tokens, model.width,
                             model.mlp_width), "square": (side, side, side)}
  for name, shape in shapes.items():
    calls[name], flops[name] = timing.matmul(*shape, model.dtype, repeats=4)
  seconds = timing.interleaved(calls, rounds=rounds)
  rates = {name: flops[name] / seconds[name] / 1e9 for name in calls}
  ceiling = max(rates["feed-forward"], rates["square"]) * mesh.devices.size

  figures = {"device": f"{mesh.devices.size} × {mesh.devices.flat[0].device_kind}",
             "dtype": model.dtype, "batch_size": config.batch_size,
             "tokens per sequence": derived.num_tokens,
             "matmul GFLOP/s, feed-forward shape": rates["feed-forward"],
             f"matmul GFLOP/s, {side}^3": rates["square"]}
  for name in corruptions:
    figures |= {
        f"{name}: encoder slots": sizes[name],
        f"{name}: step seconds": seconds[name],
        f"{name}: sequences/s": config.batch_size / seconds[name],
        f"{name}: model GFLOP/s": rates[name],
        f"{name}: share of the matmul rate": rates[name] / ceiling}
  if len(corruptions) == 2:
    own = config.masking.corruption
    figures[f"step {own} / step replace"] = seconds[own] / seconds["replace"]
    figures["  of the model FLOPs"] = flops[own] / flops["replace"]
  return figures


class _RandomBases:
  """Looks like a split of full-length records."""
  num_records = 1024

  def bases(self, ids, length):
    return np.random.default_rng(0).integers(
        0, len(base_codes.ALPHABET), (len(ids), length)).astype(np.uint8)


def step_flops(config, derived):
  """Floating-point operations of one update: 6 per weight and token, plus the
  products of attention; embeddings, norms and softmax do not count.
  """
  model, batch = config.model, config.batch_size
  slots = (derived.num_kept if config.masking.corruption == "drop"
           else derived.num_tokens)
  forward = _blocks_flops(slots, model.width, model.mlp_width, model.depth)
  width = model.width
  if model.name == "mae":
    width = model.decoder_width
    forward += 2 * slots * model.width * width
    forward += _blocks_flops(derived.num_tokens, width, model.decoder_mlp_width,
                             model.decoder_depth)
  forward += 2 * derived.num_scored * width * derived.vocabulary.num_classes
  return 3 * forward * batch


def _blocks_flops(length, width, mlp_width, depth):
  per_token = 8 * width**2 + 4 * width * mlp_width + 4 * length * width
  return depth * length * per_token


def _step_call(config, derived, mesh):
  model = config_lib.build_model(config, derived)
  task = tasks.make(model, config, derived)
  make, _, sharding, optimizer, _ = state_lib.create(model, config, derived, mesh)
  step = step_lib.jit_train_step(
      step_lib.make_train_step(task, optimizer, num_parts=config.accumulate_steps),
      task, mesh=mesh, state_sharding=sharding)
  rows = _RandomBases().bases(range(config.batch_size), derived.read_length)
  batch = {"bases": feed.spread(rows, partitioning.batch_sharding(mesh))}
  state = make()

  def call():
    nonlocal state
    with partitioning.use(mesh):
      state = step(state, batch)
    return state.step

  return call
