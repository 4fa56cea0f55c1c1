"""Cosine nearest neighbours: do labels of one split say the labels of another?

With keys of known species and queries of unseen species this is the genus
1-NN of the BarcodeBERT and BarcodeMAE papers. Queries × keys are gone through
in blocks with a running list of the best neighbours, so 100,000 × 100,000 needs
no more memory than 4,096 × 4,096.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from dnajax import errors
from dnajax.evaluators import features, labelled

FEATURES = ("encoder", "kmer_counts")


def nearest(queries, keys, num_neighbors, *, block=4096):
  """The keys with the largest cosine to each query, best first.

  Of keys with equal cosine the one with the lower index comes first. A vector
  of zeros has cosine 0 to everything.

  Args:
    queries: [Q, D] rows; anything with `shape` that gives rows when sliced.
    keys: [N, D] rows, the same.
    num_neighbors: neighbours per query, at most N.
    block: rows of queries and of keys handled at once.

  Returns:
    (ids [Q, num_neighbors] int32, cosines [Q, num_neighbors] float32), numpy.
  """
  num_queries, num_keys = queries.shape[0], keys.shape[0]
  if not 1 <= num_neighbors <= num_keys:
    raise errors.UserError(
        f"num_neighbors={num_neighbors} is outside 1..{num_keys}, the number "
        "of keys that have a label.")
  query_block = min(block, num_queries)
  key_block = min(max(block, num_neighbors), num_keys)
  out = []
  for start in range(0, num_queries, query_block):
    rows = _block(queries, start, query_block)
    best = (jnp.zeros((query_block, num_neighbors), jnp.int32),
            jnp.full((query_block, num_neighbors), -jnp.inf))
    for first in range(0, num_keys, key_block):
      best = _merge(best, rows, _block(keys, first, key_block), first, num_keys)
    out.append(jax.device_get(best))
  ids, cosines = (np.concatenate(part)[:num_queries] for part in zip(*out, strict=True))
  return ids, cosines


def _block(rows, start, size):
  """Rows start … start + size on the device, zeros behind the last one."""
  part = jnp.asarray(rows[start:start + size], jnp.float32)
  return jnp.pad(part, ((0, size - part.shape[0]), (0, 0)))


def _inverse_norm(rows):
  """[n, D] -> 1 / norm [n], 0 where the norm is 0."""
  norm = jnp.linalg.norm(rows, axis=1)
  return jnp.where(norm > 0, 1 / jnp.where(norm > 0, norm, 1), 0)


@jax.jit
def _merge(best, queries, keys, first, num_keys):
  """Best of `best` and of the keys `first` … of one block."""
  ids, cosines = best
  num_neighbors = ids.shape[1]
  # Scaling behind the product keeps counts exact whole numbers until then, so
  # equal sequences have equal cosines.
  cosine = jnp.einsum("qd,nd->qn", queries, keys,
                      precision=jax.lax.Precision.HIGHEST)
  cosine = cosine * _inverse_norm(keys) * _inverse_norm(queries)[:, None]  # [Q, N]
  index = first + jnp.arange(keys.shape[0], dtype=jnp.int32)
  cosine = jnp.where(index[None, :] < num_keys, cosine, -jnp.inf)
  value, place = jax.lax.top_k(cosine, num_neighbors)
  # Earlier keys stand first, and top_k takes the first of equal values.
  both = jnp.concatenate([ids, index[place]], axis=1)
  value, slot = jax.lax.top_k(jnp.concatenate([cosines, value], axis=1), num_neighbors)
  return jnp.take_along_axis(both, slot, axis=1), value


def vote(labels):
  """The most frequent label among neighbours; of several the nearest one's.

  Args:
    labels: [Q, n] integers, nearest neighbour first.

  Returns:
    [Q] integers, numpy.
  """
  labels = np.asarray(labels)
  # One column at a time: [Q, n, n] would be large for many neighbours.
  count = np.stack([(labels == labels[:, j:j + 1]).sum(axis=1)
                    for j in range(labels.shape[1])], axis=1)      # [Q, n]
  winner = count.argmax(axis=1)        # the first, hence the nearest
  return np.take_along_axis(labels, winner[:, None], axis=1)[:, 0]


def scores(predicted, labels, key_labels):
  """Accuracy over queries and over the classes that occur among them.

  Args:
    predicted: [Q] labels.
    labels: [Q] true labels.
    key_labels: [N] labels of the keys. A query whose label no key has cannot
      be right and counts as wrong.

  Yields:
    (metric name, value).
  """
  is_right = predicted == labels
  classes, of_query = np.unique(labels, return_inverse=True)
  yield "accuracy", float(is_right.mean())
  yield "macro_accuracy", float(
      (np.bincount(of_query, is_right) / np.bincount(of_query)).mean())
  yield "num_queries", len(labels)
  yield "num_keys", len(key_labels)
  yield "num_unknown_labels", int((~np.isin(classes, key_labels)).sum())


def collapse(rows):
  """Whether features still differ: mean pairwise cosine and effective rank.

  `mean_cosine` is over all pairs of two different rows, exact (through the sum
  of the unit vectors). `effective_rank` is exp of the entropy of the singular
  values of the centred features, divided by their sum (Roy and Vetterli 2007);
  singular values below the rounding of float32 count as zero, and 0 means that
  all rows are equal.

  Args:
    rows: [Q, D] features.

  Yields:
    (metric name, value).
  """
  rows = np.asarray(rows, np.float64)
  num_rows = len(rows)
  norms = np.linalg.norm(rows, axis=1, keepdims=True)
  unit = np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0)
  pairs = num_rows * (num_rows - 1)
  of_pairs = (unit.sum(axis=0)**2).sum() - (unit**2).sum()
  yield "mean_cosine", float(of_pairs / pairs) if pairs else float("nan")
  centred = rows - rows.mean(axis=0)
  gram = (centred.T @ centred if centred.shape[1] <= num_rows
          else centred @ centred.T)
  singular = np.sqrt(np.maximum(np.linalg.eigvalsh(gram), 0))
  rounding = np.finfo(np.float32).eps * np.linalg.norm(rows)
  singular = singular[singular > rounding]
  share = singular / singular.sum()
  yield "effective_rank", float(np.exp(-(share * np.log(share)).sum())
                                if len(share) else 0.0)


def whiten(keys, queries, *, floor=1e-6):
  """Both sets of features with the mean and covariance of the keys taken out.

  A few directions that all tokens of a row share (reading frame, order) can
  hold nearly all variance of pooled features and decide every cosine; this
  tells whether the other directions still know the labels.

  Args:
    keys: [N, D] features.
    queries: [Q, D] features.
    floor: added to the eigenvalues of the covariance, relative to the largest.

  Returns:
    (keys [N, D], queries [Q, D]) float32.
  """
  keys, queries = np.asarray(keys, np.float64), np.asarray(queries, np.float64)
  mean = keys.mean(axis=0)
  values, vectors = np.linalg.eigh(np.cov(keys - mean, rowvar=False).reshape(
      keys.shape[1], -1))
  scale = vectors / np.sqrt(np.maximum(values, 0) + floor * max(values[-1], 1e-30))
  return (((keys - mean) @ scale).astype(np.float32),
          ((queries - mean) @ scale).astype(np.float32))


class Knn:
  """Labels of the queries, voted by their nearest keys."""

  def __init__(self, key_features, query_features, key_labels, query_labels, *,
               num_neighbors=1, has_params=True):
    """key_features, query_features: params -> [N, D] rows of all records.
    key_labels, query_labels: [N] and [Q] int32, no -1 among them.
    num_neighbors: votes per query.
    has_params: whether features depend on params; only then is it asked
      whether they have collapsed."""
    self._key_features = key_features
    self._query_features = query_features
    self._key_labels = key_labels
    self._query_labels = query_labels
    self._num_neighbors = num_neighbors
    self.has_params = has_params
    self.counts = {}       # further numbers of records, reported as they are
    self.protocol = f"cosine {num_neighbors}-NN"

  def run(self, params):
    """Yields (metric name, value); all NaN if a feature is not finite."""
    queries = self._query_features(params)
    keys = self._key_features(params)
    if self.has_params and not (np.isfinite(queries).all() and np.isfinite(keys).all()):
      for name in ("accuracy", "macro_accuracy", "mean_cosine", "effective_rank",
                   "whitened_accuracy"):
        yield name, float("nan")
      return
    yield from self._scores(keys, queries)
    yield from self.counts.items()
    if self.has_params:
      yield from collapse(queries)
      yield "whitened_accuracy", dict(
          self._scores(*whiten(keys, queries)))["accuracy"]

  def _scores(self, keys, queries):
    ids, _ = nearest(queries, keys, self._num_neighbors)
    predicted = vote(self._key_labels[ids])
    return scores(predicted, self._query_labels, self._key_labels)


def from_config(spec, context):
  """The evaluator of one entry of config.evals.

  Records without the label (-1) are left out on both sides and counted. With
  `max_keys` or `max_queries` the first n of a fixed permutation of the labelled
  records are used, the same in every run.

  Args:
    spec: keys, queries, label, features, k, num_neighbors, max_keys,
      max_queries, batch_size (see configs).
    context: a `base.Context`.

  Returns:
    A `Knn`.
  """
  if spec.features not in FEATURES:
    raise errors.UserError(
        f"Unknown config.evals.*.features={spec.features!r}. "
        f"Known: {', '.join(FEATURES)}.")
  keys = labelled.read(context, spec.key_split, spec.label, spec.max_keys)
  queries = labelled.read(context, spec.query_split, spec.label, spec.max_queries)
  if spec.features == "encoder":
    embed = functools.partial(labelled.encode, context, batch_size=spec.batch_size)
  else:
    embed = lambda params, side: features.KmerCounts(side.bases, spec.k)
  out = Knn(lambda params: embed(params, keys),
            lambda params: embed(params, queries),
            keys.labels, queries.labels, num_neighbors=spec.num_neighbors,
            has_params=spec.features == "encoder")
  out.counts = {"num_unlabelled_queries": queries.num_unlabelled,
                "num_unlabelled_keys": keys.num_unlabelled}
  out.protocol = _protocol(spec, context.config.data.max_length)
  return out


def _protocol(spec, max_length):
  """One sentence that says how the numbers came about."""
  rows = ("mean over the attended positions of the last encoder layer, frame 0, "
          "nothing masked" if spec.features == "encoder" else
          f"counts of all overlapping {spec.k}-mers")
  some = "".join(f", {most:,} {side} at most" for side, most in
                 (("keys", spec.max_keys), ("queries", spec.max_queries)) if most)
  return (f"cosine {spec.num_neighbors}-NN, {spec.label} of split {spec.query_split} "
          f"(queries) from split {spec.key_split} (keys){some}; features: {rows}, not "
          f"normalised, first {max_length} bp; labels absent from the keys count "
          "as wrong")
