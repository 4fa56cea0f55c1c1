"""Masked loss and accuracy over a finite split, each record once."""

import jax
import jax.numpy as jnp
import ml_collections

from dnajax import config as config_lib
from dnajax import errors, partitioning
from dnajax.data import feed, loader, records
from dnajax.evaluators import specs
from dnajax.training import losses, masked_prediction

# Of config.masking, what an evaluation with a masking of its own keeps.
_SHARED = ("ratio", "count", "corruption", "mask_share", "random_share", "rank_by",
           "pmi_table", "capacity_sds", "round_to")


def from_config(spec, context):
  """Builds a MeanLoss.

  Args:
    spec: split, batch_size, max_records (0 = all). With `masking`, values
      for config.masking, the loss is that of one masking whatever the run's own
      is: what runs with different maskings are compared by.
    context: base.Context.
  """
  config, derived = context.config, context.derived
  spec = specs.complete(
      spec, required=("split",),
      optional=dict(batch_size=128, max_records=0, masking=ml_collections.ConfigDict()),
      wanted={"batch_size": specs.at_least(1), "max_records": specs.at_least(0)})
  if spec.masking:
    config = _with_masking(config, spec.masking)
    derived = config_lib.derive(config)
  split = records.open_split(
      records.find(config.data.dir, config.data.name), spec.split)
  num_records = min(split.num_records, spec.max_records or split.num_records)

  def batches():
    return loader.finite_batches(
        split, batch_size=spec.batch_size, length=config.data.max_length,
        record_ids=list(range(num_records)))

  eval_sums = masked_prediction.make_eval_sums(context.model, config, derived)
  out = MeanLoss(eval_sums, batches, seed=config.seed, mesh=context.mesh,
                 masked_loss_weight=config.loss.masked_loss_weight)
  out.protocol = (
      f"{config.masking.selection} selection{_rate(config.masking)}, "
      f"{config.masking.corruption}; the first {num_records:,} records of split "
      f"{spec.split}, one masking each, the same at every evaluation; perplexity "
      "and accuracy of the selected tokens")
  return out


def _with_masking(config, values):
  """The config with another masking; what that leaves open is as in a plain run."""
  own = config.masking.to_dict()
  unknown = sorted(values.keys() - own.keys())
  if unknown:
    raise errors.UserError(f"config.evals.*.masking.{unknown[0]}: config.masking has "
                           f"no such key. It has: {', '.join(own)}.")
  whole = config.to_dict()
  whole["masking"] = {key: own[key] for key in _SHARED} | values.to_dict()
  return config_lib.complete(config_lib.from_dict(whole))


def _rate(masking):
  """How much is selected; a curriculum is always evaluated in its first stage."""
  if masking.selection == "uniform":
    return f", ratio {masking.ratio:g}"
  return f", probability {(*masking.phases.probabilities, masking.probability)[0]:g}"


class MeanLoss:
  """Mean masked loss, with one fixed masking per record (comparable steps)."""

  def __init__(self, eval_sums, batches, *, seed, mesh, masked_loss_weight):
    """eval_sums: (params, batch, key) -> dict of sums.

    batches: returns a fresh iterator of equally sized batches; rows added to
      fill the last one have batch["is_real"] False.
    """
    self._sums = jax.jit(eval_sums)
    self._batches, self._mesh = batches, mesh
    self._key = jax.random.key(seed)
    self._weight = masked_loss_weight
    self.protocol = "mean masked loss"

  def run(self, params):
    """Yields loss (nats per token), perplexity, accuracy, num_tokens."""
    totals = None
    for n, batch in enumerate(self._batches()):
      if self._mesh is not None:
        batch = _spread(batch, self._mesh)
      sums = self._sums(params, batch, jax.random.fold_in(self._key, n))
      totals = sums if totals is None else jax.tree.map(jnp.add, totals, sums)
    totals = {name: float(x) for name, x in jax.device_get(totals).items()}
    loss = losses.combine(totals, self._weight)
    yield "loss", loss
    yield "perplexity", float(jnp.exp(totals["selected_loss"]
                                      / max(totals["selected"], 1)))
    yield "accuracy", totals["correct"] / max(totals["selected"], 1)
    yield "num_tokens", totals["selected"]


def _spread(batch, mesh):
  """The batch over the mesh if its rows divide, else all of it everywhere."""
  size = len(batch["is_real"])
  sharding = partitioning.batch_sharding(mesh)
  if size % partitioning.num_batch_parts(mesh):
    sharding = partitioning.replicated(mesh)
  return {name: feed.spread(rows, sharding) for name, rows in batch.items()}
