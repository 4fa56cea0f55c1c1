"""Genus accuracy when a share of the tokens is masked or lost at inference.

BarcodeMAE, Fig. 3 (papers: sections 1.1 and 1.6). The keys are always complete;
only the queries lose tokens.
"""

import contextlib

import jax
import jax.numpy as jnp
import numpy as np

from dnajax import partitioning
from dnajax.evaluators import features, labelled, neighbors, specs
from dnajax.models import encoder
from dnajax.tokens import kmers

# What becomes of a lost token.
MODES = {
    "mask": "[MASK] stands for it; its output is part of the mean",
    "drop": "it is not attended and left out of the mean; positions stay",
    "delete": "it is taken out; the tokens behind it move up",
}

DEFAULTS = dict(
    key_split="train", query_split="unseen", label="genus",
    rates=(0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9), modes=tuple(MODES),
    seed=0, max_keys=0, max_queries=0, batch_size=256, features="encoder")

_WANTED = {
    "features": specs.one_of(("encoder",)),
    "rates": (lambda x: len(x) > 0 and all(0 <= r < 1 for r in x)
              and all(a < b for a, b in zip(x, x[1:], strict=False)),
              "increasing shares from 0 to below 1"),
    "modes": (lambda x: len(x) > 0 and set(x) <= set(MODES) and len(set(x)) == len(x),
              f"some of {', '.join(MODES)}, each once"),
    "max_keys": specs.at_least(0), "max_queries": specs.at_least(0),
    "batch_size": specs.at_least(1), "seed": specs.at_least(0)}


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
    """context: base.Context; seed: of the draws; batch_size: rows per step."""
    self._mesh, self._seed = context.mesh, seed
    self._batch_size = features.round_up_batch(batch_size, context.mesh)
    vocabulary, stride = context.derived.vocabulary, context.config.tokens.stride

    def embed(params, bases, ids, rate, mode):
      tokens = kmers.tokenize(bases, vocabulary=vocabulary, stride=stride)
      ids, pad_mask, num_left = lose(
          tokens, draws(seed, ids, tokens.ids.shape[1]), rate, mode=mode,
          vocabulary=vocabulary)
      hidden = context.model.apply({"params": params}, ids, pad_mask, method="encode")
      return encoder.masked_mean(hidden, pad_mask), num_left

    self._embed = jax.jit(
        embed, static_argnames="mode", out_shardings=None if context.mesh is None
        else partitioning.replicated(context.mesh))

  def __call__(self, params, side, mode, rate):
    """Labelled -> (features [N, D] float32, num_left [N]), numpy."""
    out = []
    for start in range(0, len(side.bases), self._batch_size):
      rows = slice(start, start + self._batch_size)
      bases = features.pad_rows(side.bases[rows], self._batch_size)
      ids = np.zeros(self._batch_size, np.int32)
      ids[:len(side.ids[rows])] = side.ids[rows]
      with (contextlib.nullcontext() if self._mesh is None
            else partitioning.use(self._mesh)):
        out.append(self._embed(
            params, features.put_rows(bases, self._mesh),
            features.put_rows(ids, self._mesh), jnp.float32(rate), mode=mode))
    rows, num_left = zip(*jax.device_get(out), strict=True)
    return (np.concatenate(rows)[:len(side.bases)],
            np.concatenate(num_left)[:len(side.bases)])


class Robustness:
  """Accuracy of 1-NN for each way to lose tokens and each share of lost ones."""

  def __init__(self, key_features, query_features, keys, queries, *, rates, modes):
    """key_features: params -> [N, D] of the complete keys.
    query_features: (params, mode, rate) -> (rows [Q, D], num_left [Q]).
    keys, queries: Labelled.
    rates, modes: see DEFAULTS."""
    self._key_features, self._query_features = key_features, query_features
    self._keys, self._queries = keys, queries
    self._rates, self._modes = tuple(rates), tuple(modes)
    self._curves = {}
    self.protocol = "cosine 1-NN; queries lose tokens"

  def run(self, params):
    """Yields (metric name, value); NaN where a feature is not finite."""
    keys = self._key_features(params)
    self._curves = {}
    for mode in self._modes:
      curve = []
      for rate in self._rates:
        curve.append(self._accuracy(keys, *self._query_features(params, mode, rate)))
        yield f"accuracy_{mode}_{rate:g}", curve[-1]
      yield f"mean_{mode}", mean_height(self._rates, curve)
      self._curves[mode] = curve
    yield "num_queries", len(self._queries.labels)
    yield "num_keys", len(self._keys.labels)

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


def from_config(spec, context):
  """The evaluator of one entry of config.evals.

  Args:
    spec: options, see DEFAULTS. key_split, query_split, label, max_keys and
      max_queries are those of `knn`; rates: shares of tokens; modes: names in
      MODES; seed: of the draws, not that of the run.
    context: base.Context.

  Returns:
    A `Robustness`.

  Raises:
    UserError: an option is wrong.
  """
  chosen = specs.complete(spec, optional=DEFAULTS, wanted=_WANTED)
  keys = labelled.read(context, chosen.key_split, chosen.label, chosen.max_keys)
  queries = labelled.read(context, chosen.query_split, chosen.label, chosen.max_queries)
  encode = Encode(context, seed=chosen.seed, batch_size=chosen.batch_size)
  out = Robustness(
      lambda params: labelled.encode(context, params, keys, batch_size=chosen.batch_size),
      lambda params, mode, rate: encode(params, queries, mode, rate), keys, queries,
      rates=chosen.rates, modes=chosen.modes)
  out.task = (f"{chosen.label} 1-NN with lost tokens, {chosen.query_split} → "
              f"{chosen.key_split}")
  out.protocol = (
      f"cosine 1-NN, {chosen.label} of split {chosen.query_split} (queries) from split "
      f"{chosen.key_split} (keys); keys complete; of the queries each k-mer is lost with a "
      "chance of the rate, the same k-mers at every evaluation, those of a lower rate among "
      "those of a higher; "
      + "; ".join(f"{mode}: {MODES[mode]}" for mode in chosen.modes)
      + "; a query that loses all its k-mers counts as wrong; mean: area under the curve "
      "over its width")
  return out

