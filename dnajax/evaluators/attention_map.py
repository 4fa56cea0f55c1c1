"""How widely the encoder's heads look: entropy and largest weight of attention.

Middle layers that look at few tokens only are what RandomMask was made against
(papers: section 4).
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from dnajax.devices import partitioning
from dnajax.evaluators import base
from dnajax.inference import encode as features
from dnajax.shell import metric

UNITS = {"entropy": "nats", "relative_entropy": "share", "max_weight": "share"}  # metrics


@dataclasses.dataclass(frozen=True)
class AttentionMap(base.Evaluator):
  """How widely each layer and head of the encoder looks.

  Whatever the encoder's `attention` is, the probabilities are computed by the written-out
  softmax, from the same queries and keys. For `mae` they are those of the encoder with
  nothing masked.
  """
  split: str = "valid"    # of the records
  num_records: int = 256  # how many, chosen at random
  seed: int = 0           # of the choice
  batch_size: int = 16    # rows per step; it holds the probabilities of all layers

  def check(self, setup):
    """What no value may be, whatever the data."""
    del setup
    yield from base.at_least(self, num_records=1, seed=0, batch_size=1)

  @property
  def task(self):
    """One figure per split."""
    return f"attention of the encoder, {self.split}"

  def asks_untrained(self, evals):
    """Yes."""
    return True

  def build(self, context):
    """A `Runner`."""
    source = context.split(self.split)
    order = np.random.default_rng(self.seed).permutation(source.num_records)
    ids = np.sort(order[:self.num_records])
    model = context.model

    def attention_sums(params, bases):
      tokens = model.tokenizer(bases)
      _, kept = model.module.apply(
          {"params": params}, tokens.ids, tokens.pad_mask, method="encode",
          mutable="intermediates")
      probabilities = jax.tree.leaves(kept)                        # [N, B, H, L, L]
      return sums(*probabilities, tokens.pad_mask) if probabilities else {}

    return Runner(
        source.bases(ids, context.length), attention_sums, batch_size=self.batch_size,
        mesh=context.mesh, protocol=(
            f"{len(ids):,} records of split {self.split} chosen at random (seed {self.seed}), "
            "frame 0, nothing masked; means over all attended tokens as queries, then over "
            "the heads; entropy in nats over the attended keys, relative: divided by the log "
            "of their number; max weight: of the key attended to most; layer 1 is the first"))


def sums(probabilities, pad_mask):
  """Sums over the attended queries of a batch.

  Args:
    probabilities: [N, B, H, L, L] float32, N layers; the last axis sums to 1
      over the attended keys.
    pad_mask: [B, L] bool, True = attended; the others are no queries either.

  Returns:
    {metric: (sum [N, H], number of queries)}. The relative entropy is entropy /
    log(attended keys); rows with one token have none.
  """
  num_keys = pad_mask.sum(axis=1)[:, None]                         # [B, 1]
  can_choose = pad_mask & (num_keys > 1)                           # [B, L]
  entropy = jax.scipy.special.entr(probabilities).sum(axis=-1)     # [N, B, H, L]
  scale = jnp.log(jnp.maximum(num_keys, 2)).astype(jnp.float32)[:, None]
  values = {"entropy": (entropy, pad_mask),
            "relative_entropy": (entropy / scale, can_choose),
            "max_weight": (probabilities.max(axis=-1), pad_mask)}
  return {name: (jnp.where(is_query[:, None], x, 0).sum(axis=(1, 3)), is_query.sum())
          for name, (x, is_query) in values.items()}


class Runner:
  """Means over queries, for each layer and head of the encoder."""

  def __init__(self, bases, attention_sums, *, batch_size, mesh=None,
               protocol="how widely heads look"):
    """bases: [n, bp] uint8 base codes.
    attention_sums: (params, bases [B, bp]) -> what `sums` returns; {} if the encoder
      has no attention, which gives no values.
    batch_size: rows per step; a step holds the probabilities of all layers,
      N·B·H·L·L float32.
    mesh: where rows are spread; None for one device."""
    self._bases, self._mesh, self.protocol = bases, mesh, protocol
    self._sums = jax.jit(attention_sums, out_shardings=None if mesh is None
                         else partitioning.replicated(mesh))
    self._batch_size = features.round_up_batch(batch_size, mesh)
    self._seen = None

  def run(self, params):
    """Yields Metrics, none shown: means over the heads of each layer, from layer 1."""
    means = self._means(params)
    if not means:
      self.protocol = "no values: the encoder has no attention"
    self._seen = means if all(np.isfinite(x).all() for x in means.values()) else None
    for name, of_heads in means.items():                           # [N, H]
      for layer, value in enumerate(of_heads.mean(axis=1), 1):
        yield metric.Metric(f"{name}_layer{layer}", float(value), UNITS[name], False)
    yield from metric.counts({"num_records": len(self._bases)})

  def _means(self, params):
    """{metric: [N, H]}; NaN without any query."""
    totals = None
    for got in features.embed_batches(
        self._sums, params, features.padded_batches(self._bases, self._batch_size),
        mesh=self._mesh):
      got = jax.tree.map(lambda x: np.asarray(x, np.float64), got)
      totals = got if totals is None else jax.tree.map(np.add, totals, got)
    # A compiled function returns the keys in another order.
    return {name: totals[name][0] / totals[name][1] if totals[name][1] else
            np.full(totals[name][0].shape, np.nan) for name in UNITS if name in totals}

  def figures(self):
    """{"attention_map": Figure} of the last run; empty before it."""
    from dnajax.evaluators import figures
    return {"attention_map": figures.head_maps(self._seen)} if self._seen else {}
