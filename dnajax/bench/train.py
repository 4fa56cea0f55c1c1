"""Training step: rate, model FLOP/s, share of the matmul rate of this machine."""

import pathlib

import jax
import numpy as np

from dnajax.bench import timing
from dnajax.config import overrides
from dnajax.config import plan as plan_lib
from dnajax.data import feed
from dnajax.devices import partitioning
from dnajax.tokens import bases as base_codes


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
  plans = {"": plan_lib.make(values, split=RandomSplit())}
  own = plans[""]
  if own.experiment.masking is not None:
    name = own.experiment.to_dict()["masking"]["corruption"]["name"]
    plans = {name: own}
    if name != "replace":
      plans["replace"] = plan_lib.make(overrides.apply(
          values, [("masking.corruption.name", "replace")]), split=RandomSplit())
  experiment, mesh = own.experiment, own.mesh
  calls = {name: _step_call(plan) for name, plan in plans.items()}
  flops = {name: step_flops(plan) for name, plan in plans.items()}
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
        f"{of}encoder slots": _slots(plan),
        f"{of}step seconds": seconds[name],
        f"{of}sequences/s": experiment.batch_size / seconds[name],
        f"{of}model GFLOP/s": rates[name],
        f"{of}share of the matmul rate": rates[name] / ceiling}
  if len(plans) == 2:
    first = next(iter(plans))
    figures[f"step {first} / step replace"] = seconds[first] / seconds["replace"]
    figures["  of the model FLOPs"] = flops[first] / flops["replace"]
  return figures


def step_flops(plan):
  """Floating-point operations of one update: forward, and twice that backward.

  Products with weights and of attention count; embeddings, norms and softmax do not.
  """
  one, masking = plan.experiment, plan.task.masking
  return 3 * one.batch_size * one.objective.flops_per_row(
      one.encoder, plan.tokenizer, num_kept=_slots(plan),
      num_scored=masking.num_scored if masking else 0)


def _slots(plan):
  """Positions that the encoder works on."""
  return plan.task.masking.num_kept if plan.task.masking else plan.tokenizer.num_tokens


class RandomSplit:
  """Looks like a split of full-length records with labels of every column."""
  name, num_records, fingerprint, ranks = "random bases", 1024, "", ()
  directory, cleaning = pathlib.Path(), {}

  def bases(self, ids, length):
    """[n, length] uint8."""
    return np.random.default_rng(0).integers(
        0, len(base_codes.ALPHABET), (len(ids), length)).astype(np.uint8)

  def labels(self, column):
    """[N] int32, two different ones."""
    del column
    return np.arange(self.num_records, dtype=np.int32) % 2

  def vocabulary(self, column):
    """Names of the labels."""
    return [f"{column} {n}" for n in range(2)]


def _step_call(plan):
  size, sharding = plan.experiment.batch_size, partitioning.batch_sharding(plan.mesh)
  split = RandomSplit()
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
