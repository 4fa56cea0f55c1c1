"""Genus accuracy when a share of the tokens is masked or lost at inference.

BarcodeMAE, Fig. 3 (papers: sections 1.1 and 1.6). The keys are always complete;
only the queries lose tokens.
"""

import dataclasses
import functools
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from dnajax.devices import partitioning
from dnajax.evaluators import base, labelled
from dnajax.inference import encode as features
from dnajax.inference import neighbors
from dnajax.shell import metric

# What becomes of a lost token.
MODES = {
    "mask": "[MASK] stands for it; its output is part of the mean",
    "drop": "it is not attended and left out of the mean; positions stay",
    "delete": "it is taken out; the tokens behind it move up",
}


@dataclasses.dataclass(frozen=True)
class Robustness(base.Evaluator):
  """Accuracy of 1-NN for each way to lose tokens and each share of lost ones."""
  key_split: str = "train"     # as of knn; keys are complete
  query_split: str = "unseen"  # of its records tokens are lost
  label: str = "genus"         # any rank of the data set
  rates: tuple[float, ...] = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)  # lost
  modes: tuple[Literal["mask", "drop", "delete"], ...] = tuple(MODES)  # see MODES
  seed: int = 0                # of the draws, not that of the run
  max_keys: int = 0            # the first n of a fixed permutation; 0: all
  max_queries: int = 0         # the same of the queries
  batch_size: int = 256        # rows per step of the encoder

  def check(self, setup):
    """What no value may be, whatever the data."""
    del setup
    yield from base.at_least(self, seed=0, max_keys=0, max_queries=0, batch_size=1)
    if not self.rates or list(self.rates) != sorted({
        rate for rate in self.rates if 0 <= rate < 1}):
      yield "rates", "increasing shares from 0 to below 1"
    if not self.modes or len(set(self.modes)) < len(self.modes):
      yield "modes", f"some of {', '.join(MODES)}, each once"

  @property
  def task(self):
    """As of knn."""
    return f"{self.label} 1-NN with lost tokens, {self.query_split} → {self.key_split}"

  def asks_untrained(self, evals):
    """Yes."""
    return True

  def build(self, context):
    """A `Runner`."""
    keys = labelled.read(context, self.key_split, self.label, self.max_keys)
    queries = labelled.read(context, self.query_split, self.label, self.max_queries)
    encode = Encode(context, seed=self.seed, batch_size=self.batch_size)
    return Runner(
        lambda params: labelled.encode(context, params, keys, batch_size=self.batch_size),
        lambda params, mode, rate: encode(params, queries, mode, rate), keys, queries,
        rates=self.rates, modes=self.modes, protocol=(
            f"cosine 1-NN, {self.label} of split {self.query_split} (queries) from split "
            f"{self.key_split} (keys); keys complete; of the queries each k-mer is lost with "
            "a chance of the rate, the same k-mers at every evaluation, those of a lower rate "
            "among those of a higher; "
            + "; ".join(f"{mode}: {MODES[mode]}" for mode in self.modes)
            + "; a query that loses all its k-mers counts as wrong; mean: area under the "
            "curve over its width"))


def draws(seed, ids, length):
  """One number in [0, 1) for each token of each record, always the same ones.

  Args:
    seed: int.
    ids: [B] int, record numbers; a record's draws depend on nothing else.
    length: L.

  Returns:
    [B, L] float32.
  """
  key = jax.random.key(seed)
  return jax.vmap(lambda n: jax.random.uniform(jax.random.fold_in(key, n), (length,)))(ids)


def lose(tokens, draws, rate, *, mode, vocabulary):
  """Masks, drops or deletes the k-mers whose draw is below the rate.

  So each k-mer is lost with a chance of `rate`, and whatever is lost at a rate
  is lost at every higher one. [UNK] counts as a k-mer; [CLS] and [SEP] stay.

  Args:
    tokens: kmers.Tokens.
    draws: [B, L] in [0, 1).
    rate: number in [0, 1).
    mode: a name in MODES, static.
    vocabulary: a `Vocabulary`.

  Returns:
    ids [B, L] int32, pad_mask [B, L] bool, num_left [B] int32: k-mers that are
    not lost.
  """
  is_kmer = tokens.pad_mask
  for special in (vocabulary.cls_id, vocabulary.sep_id):
    if special is not None:
      is_kmer &= tokens.ids != special
  is_lost = is_kmer & (draws < rate)
  ids, pad_mask = tokens.ids, tokens.pad_mask
  if mode == "mask":
    ids = jnp.where(is_lost, vocabulary.mask_id, ids)
  else:
    pad_mask &= ~is_lost
  if mode == "delete":
    order = jnp.argsort(~pad_mask, axis=1, stable=True)            # [B, L]
    ids, pad_mask = (jnp.take_along_axis(x, order, axis=1) for x in (ids, pad_mask))
  return ids, pad_mask, (is_kmer & ~is_lost).sum(axis=1)


class Encode:
  """Pooled encoder output of records that have lost some of their tokens."""

  def __init__(self, context, *, seed, batch_size):
    """context: context.Context; seed: of the draws; batch_size: rows per step."""
    self._mesh = context.mesh
    self._batch_size = features.round_up_batch(batch_size, context.mesh)
    module, tokenizer = context.model.module, context.model.tokenizer

    def embed(params, batch, *, rate, mode):
      bases, ids = batch
      tokens = tokenizer(bases)
      ids, pad_mask, num_left = lose(
          tokens, draws(seed, ids, tokens.ids.shape[1]), rate, mode=mode,
          vocabulary=tokenizer.vocabulary)
      pooled = module.apply({"params": params}, ids, pad_mask, method="pooled")
      return pooled["mean"], num_left

    self._embed = jax.jit(
        embed, static_argnames="mode", out_shardings=None if context.mesh is None
        else partitioning.replicated(context.mesh))

  def __call__(self, params, side, mode, rate):
    """Labelled -> (features [N, D] float32, num_left [N]), numpy."""
    embed = functools.partial(self._embed, rate=jnp.float32(rate), mode=mode)
    ids = np.asarray(side.ids, np.int32)

    def batches():
      rows = features.padded_batches(side.bases, self._batch_size)
      for first, bases in zip(range(0, len(ids), self._batch_size), rows, strict=True):
        part = ids[first:first + self._batch_size]
        yield bases, np.pad(part, (0, self._batch_size - len(part)))

    parts = features.embed_batches(embed, params, batches(), mesh=self._mesh)
    return tuple(np.concatenate(part)[:len(ids)] for part in zip(*parts, strict=True))


class Runner:
  """Accuracy of 1-NN for each way to lose tokens and each share of lost ones."""

  def __init__(self, key_features, query_features, keys, queries, *, rates, modes,
               protocol="cosine 1-NN; queries lose tokens"):
    """key_features: params -> [N, D] of the complete keys.
    query_features: (params, mode, rate) -> (rows [Q, D], num_left [Q]).
    keys, queries: Labelled.
    rates, modes: see `Robustness`."""
    self._key_features, self._query_features = key_features, query_features
    self._keys, self._queries = keys, queries
    self._rates, self._modes, self.protocol = rates, modes, protocol
    self._curves = {}

  def run(self, params):
    """Yields Metrics; NaN where a feature is not finite. Shown are the mean heights."""
    keys = self._key_features(params)
    self._curves = {}
    for mode in self._modes:
      curve = [self._accuracy(keys, *self._query_features(params, mode, rate))
               for rate in self._rates]
      self._curves[mode] = curve
      yield from metric.shares({f"mean_{mode}": mean_height(self._rates, curve)})
      yield from metric.shares(
          ((f"accuracy_{mode}_{rate:g}", value)
           for rate, value in zip(self._rates, curve, strict=True)), is_shown=False)
    yield from metric.counts({"num_queries": len(self._queries.labels),
                              "num_keys": len(self._keys.labels)})

  def _accuracy(self, keys, rows, num_left):
    if not (np.isfinite(keys).all() and np.isfinite(rows).all()):
      return float("nan")
    ids, _ = neighbors.nearest(rows, keys, 1)
    is_right = self._keys.labels[ids[:, 0]] == self._queries.labels
    return float((is_right & (num_left > 0)).mean())

  def figures(self):
    """{"robustness": Figure} of the last run; empty before it."""
    from dnajax.evaluators import figures
    if not self._curves:
      return {}
    return {"robustness": figures.lost_tokens(self._rates, self._curves)}


def mean_height(rates, values):
  """Area under a curve (trapezoids) over the width it spans; of one point its value."""
  if len(rates) == 1:
    return values[0]
  return float(np.trapezoid(values, rates) / (rates[-1] - rates[0]))
