"""How widely the encoder's heads look: entropy and largest weight of attention.

Middle layers that look at few tokens only are what RandomMask was made against
(papers: section 4).
"""

import jax
import jax.numpy as jnp
import numpy as np

from dnajax import partitioning
from dnajax.data import records
from dnajax.evaluators import features, specs
from dnajax.tokens import kmers

DEFAULTS = dict(split="valid", num_records=256, seed=0, batch_size=16, features="encoder")

_WANTED = {"features": specs.one_of(("encoder",)), "num_records": specs.at_least(1),
           "seed": specs.at_least(0), "batch_size": specs.at_least(1)}

METRICS = ("entropy", "relative_entropy", "max_weight")


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


class AttentionMap:
  """Means over queries, for each layer and head of the encoder."""

  def __init__(self, bases, attention_sums, *, batch_size, mesh=None):
    """bases: [n, bp] uint8 base codes.
    attention_sums: (params, bases [B, bp]) -> what `sums` returns.
    batch_size: rows per step; a step holds the probabilities of all layers,
      N·B·H·L·L float32.
    mesh: where rows are spread; None for one device."""
    self._bases, self._mesh = bases, mesh
    self._sums = jax.jit(attention_sums, out_shardings=None if mesh is None
                         else partitioning.replicated(mesh))
    self._batch_size = features.round_up_batch(batch_size, mesh)
    self._seen = None

  def run(self, params):
    """Yields (metric name, value): means over the heads of each layer, from layer 1."""
    means = self._means(params)
    self._seen = means if all(np.isfinite(x).all() for x in means.values()) else None
    for name, of_heads in means.items():                           # [N, H]
      for layer, value in enumerate(of_heads.mean(axis=1), 1):
        yield f"{name}_layer{layer}", float(value)
    yield "num_records", len(self._bases)

  def _means(self, params):
    """{metric: [N, H]}; NaN without any query."""
    totals = None
    for got in features.embed_batches(
        self._sums, params, features.padded_batches(self._bases, self._batch_size),
        mesh=self._mesh):
      got = jax.tree.map(lambda x: np.asarray(x, np.float64), got)
      totals = got if totals is None else jax.tree.map(np.add, totals, got)
    return {name: total / weight if weight else np.full(total.shape, np.nan)
            for name, (total, weight) in ((name, totals[name]) for name in METRICS)}

  def figures(self):
    """{"attention_map": Figure} of the last run; empty before it."""
    from dnajax.evaluators import figures
    return {"attention_map": figures.head_maps(self._seen)} if self._seen else {}


def from_config(spec, context):
  """The evaluator of one entry of config.evals.

  Whatever config.model.attention is, the probabilities are computed by the
  written-out softmax, from the same queries and keys. For `mae` they are those
  of the encoder with nothing masked.

  Args:
    spec: options, see DEFAULTS. split: of the records; num_records: how many,
      chosen at random; seed: of the choice; batch_size: rows per step.
    context: base.Context.

  Returns:
    An `AttentionMap`.

  Raises:
    UserError: an option is wrong.
  """
  chosen = specs.complete(spec, optional=DEFAULTS, wanted=_WANTED)
  data, vocabulary = context.config.data, context.derived.vocabulary
  source = records.open_split(records.find(data.dir, data.name), chosen.split)
  order = np.random.default_rng(chosen.seed).permutation(source.num_records)
  ids = np.sort(order[:chosen.num_records])

  def attention_sums(params, bases):
    tokens = kmers.tokenize(bases, vocabulary=vocabulary,
                            stride=context.config.tokens.stride)
    _, kept = context.model.apply(
        {"params": params}, tokens.ids, tokens.pad_mask, method="encode",
        mutable="intermediates")
    probabilities, = jax.tree.leaves(kept)                         # [N, B, H, L, L]
    return sums(probabilities, tokens.pad_mask)

  out = AttentionMap(source.bases(ids, data.max_length), attention_sums,
                     batch_size=chosen.batch_size, mesh=context.mesh)
  out.task = f"attention of the encoder, {chosen.split}"
  out.protocol = (
      f"{len(ids):,} records of split {chosen.split} chosen at random (seed {chosen.seed}), "
      "frame 0, nothing masked; means over all attended tokens as queries, then over the heads; "
      "entropy in nats over the attended keys, relative: divided by the log of their number; "
      "max weight: of the key attended to most; layer 1 is the first")
  return out
