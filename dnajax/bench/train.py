"""Training step: rate, model FLOP/s, share of the matmul rate of this machine."""

import jax
import numpy as np

from dnajax.bench import timing
from dnajax.config import overrides
from dnajax.config import plan as plan_lib
from dnajax.data import feed, random_split
from dnajax.devices import partitioning


def measure(values, *, rounds):
  """Times the training step of a config on random bases.

  A masked autoencoder is measured with its own corruption and, as reference,
  with `replace`, which runs the encoder over all positions.

  Args:
    values: of a config.
    rounds: measurements of each figure.

  Returns:
    dict of figures; seconds, GFLOP/s, ratios. The matmul rate is the best of
    two: the shape of the feed-forward layers, and 4096 × 4096 × 4096 (2048 on
    a CPU), of all devices together.
  """
  plans = {"": plan_lib.make(values, split=random_split.RandomSplit())}
  own = plans[""]
  if own.experiment.masking is not None:
    name = own.experiment.to_dict()["masking"]["corruption"]["name"]
    plans = {name: own}
    if name != "replace":
      plans["replace"] = plan_lib.make(overrides.apply(
          values, [("masking.corruption.name", "replace")]), split=random_split.RandomSplit())
  experiment, mesh = own.experiment, own.mesh
  calls = {name: _step_call(plan) for name, plan in plans.items()}
  flops = {name: plan.step_flops() for name, plan in plans.items()}
  side = 2048 if jax.default_backend() == "cpu" else 4096
  encoder = experiment.encoder
  shapes = {"square": (side, side, side),
            "feed-forward": (experiment.batch_size * own.tokenizer.num_tokens, encoder.width,
                             getattr(encoder, "mlp_width", encoder.width))}
  for name, shape in shapes.items():
    calls[name], flops[name] = timing.matmul(*shape, encoder.dtype, repeats=4)
  seconds = timing.interleaved(calls, rounds=rounds)
  rates = {name: flops[name] / seconds[name] / 1e9 for name in calls}
  ceiling = max(rates["feed-forward"], rates["square"]) * mesh.devices.size

  figures = {"device": f"{mesh.devices.size} × {mesh.devices.flat[0].device_kind}",
             "dtype": encoder.dtype, "batch_size": experiment.batch_size,
             "tokens per sequence": own.tokenizer.num_tokens,
             "matmul GFLOP/s, feed-forward shape": rates["feed-forward"],
             f"matmul GFLOP/s, {side}^3": rates["square"]}
  for name, plan in plans.items():
    of = f"{name}: " if name else ""
    figures |= {
        f"{of}encoder slots": plan.num_slots,
        f"{of}step seconds": seconds[name],
        f"{of}sequences/s": experiment.batch_size / seconds[name],
        f"{of}model GFLOP/s": rates[name],
        f"{of}share of the matmul rate": rates[name] / ceiling}
  if len(plans) == 2:
    first = next(iter(plans))
    figures[f"step {first} / step replace"] = seconds[first] / seconds["replace"]
    figures["  of the model FLOPs"] = flops[first] / flops["replace"]
  return figures


def _step_call(plan):
  size, sharding = plan.experiment.batch_size, partitioning.batch_sharding(plan.mesh)
  split = random_split.RandomSplit()
  batch = jax.tree.map(lambda rows: feed.spread(rows, sharding), {
      "bases": split.bases(range(size), plan.tokenizer.read_length),
      "labels": {column: np.arange(size, dtype=np.int32) % 2 for column in plan.task.labels}})
  state = plan.make_state()

  def call():
    nonlocal state
    with partitioning.use(plan.mesh):
      state = plan.train_step(state, batch)
    return state.step

  return call
