"""Cosine nearest neighbours on the device, and how they vote."""

import jax
import jax.numpy as jnp
import numpy as np

from dnajax.shell import errors

VOTES = ("uniform", "distance", "softmax")
TIES = ("nearest", "lowest_label")

# A cosine is computed in float32: two equal rows may come out this far from 1.
_SAME = 1e-6


def nearest(queries, keys, num_neighbors, *, own=None, groups=None, block=4096):
  """The keys with the largest cosine to each query, best first.

  Queries × keys are gone through in blocks with a running list of the best, so
  100,000 × 100,000 needs no more memory than 4,096 × 4,096. Of keys with equal
  cosine the one with the lower index comes first. A vector of zeros has cosine 0
  to everything.

  Args:
    queries: [Q, D] rows; anything with `shape` that gives rows when sliced.
    keys: [N, D] rows, the same.
    num_neighbors: neighbours per query, at most N, or N − 1 with `own`.
    own: [Q] index of the key that is the query itself and is left out; -1 where
      there is none.
    groups: instead of `own`, ([Q], [N]) numbers of groups: keys of the query's own group
      are left out; -1 is no group. Where too few keys are left, the rest of a row
      has cosine -inf and ids without meaning.
    block: rows of queries and of keys handled at once.

  Returns:
    (ids [Q, num_neighbors] int32, cosines [Q, num_neighbors] float32), numpy.

  Raises:
    UserError: there are too few keys.
  """
  num_queries, num_keys = queries.shape[0], keys.shape[0]
  most = num_keys - (own is not None and bool((np.asarray(own) >= 0).any()))
  if not 1 <= num_neighbors <= most:
    raise errors.UserError(
        f"num_neighbors={num_neighbors} is outside 1..{most}, the number "
        "of keys that have a label" + (", less the query itself." if most < num_keys
                                       else "."))
  query_block = min(block, num_queries)
  key_block = min(max(block, num_neighbors), num_keys)
  of_queries, of_keys = groups or (np.full(num_queries, -1) if own is None else own,
                                   np.arange(num_keys))
  of_queries = np.pad(of_queries, (0, -num_queries % query_block), constant_values=-1)
  of_queries = np.where(of_queries < 0, -2, of_queries)      # never that of a key
  of_keys = np.pad(of_keys, (0, -num_keys % key_block), constant_values=-1)
  out = []
  for start in range(0, num_queries, query_block):
    rows = _block(queries, start, query_block)
    group = jnp.asarray(of_queries[start:start + query_block], jnp.int32)
    best = (jnp.zeros((query_block, num_neighbors), jnp.int32),
            jnp.full((query_block, num_neighbors), -jnp.inf))
    for first in range(0, num_keys, key_block):
      best = _merge(best, rows, _block(keys, first, key_block), group,
                    of_keys[first:first + key_block].astype(np.int32), first, num_keys)
    out.append(jax.device_get(best))
  ids, cosines = (np.concatenate(part)[:num_queries] for part in zip(*out, strict=True))
  return ids, cosines


def centred(queries, keys):
  """Both less the mean of the keys: a direction that all rows share decides no cosine then.

  Args:
    queries, keys: [Q, D] and [N, D] matrices, or what has `mean()` and `less(row)`, as
      `kmer_counts.KmerCounts`.

  Returns:
    (queries, keys).
  """
  if hasattr(keys, "less"):
    centre = keys.mean()
    return queries.less(centre), keys.less(centre)
  centre = np.mean(keys, axis=0, dtype=np.float64).astype(np.float32)
  return queries - centre, keys - centre


def _block(rows, start, size):
  """Rows start … start + size on the device, zeros behind the last one."""
  if isinstance(rows, jax.Array):  # one program for all places of a block
    part = jax.lax.dynamic_slice_in_dim(rows, start, min(size, rows.shape[0] - start))
  else:
    part = jnp.asarray(rows[start:start + size], jnp.float32)
  return jnp.pad(part, ((0, size - part.shape[0]), (0, 0)))


def _inverse_norm(rows):
  """[n, D] -> 1 / norm [n], 0 where the norm is 0."""
  norm = jnp.linalg.norm(rows, axis=1)
  return jnp.where(norm > 0, 1 / jnp.where(norm > 0, norm, 1), 0)


@jax.jit
def _merge(best, queries, keys, group, key_group, first, num_keys):
  """Best of `best` and of the keys `first` … of one block."""
  ids, cosines = best
  num_neighbors = ids.shape[1]
  # Scaling behind the product keeps counts exact whole numbers until then, so
  # equal sequences have equal cosines.
  cosine = jnp.einsum("qd,nd->qn", queries, keys,
                      precision=jax.lax.Precision.HIGHEST)
  cosine = cosine * _inverse_norm(keys) * _inverse_norm(queries)[:, None]  # [Q, N]
  index = first + jnp.arange(keys.shape[0], dtype=jnp.int32)
  is_key = (index < num_keys) & (key_group != group[:, None])
  cosine = jnp.where(is_key, cosine, -jnp.inf)
  value, place = jax.lax.top_k(cosine, num_neighbors)
  # Earlier keys stand first, and top_k takes the first of equal values.
  both = jnp.concatenate([ids, index[place]], axis=1)
  value, slot = jax.lax.top_k(jnp.concatenate([cosines, value], axis=1), num_neighbors)
  return jnp.take_along_axis(both, slot, axis=1), value


def weights(cosines, how, *, temperature=0.02):
  """What each neighbour's vote weighs.

  Args:
    cosines: [Q, n], nearest neighbour first.
    how: "uniform", 1 each; "distance", 1 / (1 − cosine), and where a neighbour
      has distance 0 (below 1e-6, the rounding of a cosine) only such ones
      vote, 1 each, as in scikit-learn; "softmax", exp(cosine / temperature) up
      to a factor per query.
    temperature: of "softmax". BarcodeMAE+ adopts .02, DINOv2 .07.

  Returns:
    [Q, n] float64, numpy.
  """
  cosines = np.asarray(cosines, np.float64)
  if how == "uniform":
    return np.ones_like(cosines)
  if how == "softmax":
    return np.exp((cosines - cosines[:, :1]) / temperature)
  if how != "distance":
    raise errors.UserError(f"Unknown vote {how!r}. Known: {', '.join(VOTES)}.")
  distance = 1 - cosines
  is_same = distance < _SAME
  return np.where(is_same.any(axis=1, keepdims=True), is_same,
                  1 / np.maximum(distance, _SAME))


def vote(labels, weights=None, *, ties="nearest"):
  """The label with the largest sum of weights among the neighbours.

  Args:
    labels: [Q, n] integers, nearest neighbour first.
    weights: [Q, n] as `weights` gives them; None for 1 each.
    ties: of several labels with the same sum, "nearest": the one whose first
      neighbour is nearest; "lowest_label": the smallest, which is what
      scikit-learn's KNeighborsClassifier does. With one neighbour there is none.

  Returns:
    [Q] integers, numpy.
  """
  labels = np.asarray(labels)
  weights = np.ones(labels.shape) if weights is None else weights
  # One column at a time: [Q, n, n] would be large for many neighbours.
  total = np.stack([np.where(labels == labels[:, j:j + 1], weights, 0).sum(axis=1)
                    for j in range(labels.shape[1])], axis=1)      # [Q, n]
  if ties == "lowest_label":
    is_best = total == total.max(axis=1, keepdims=True)
    return np.where(is_best, labels, np.iinfo(labels.dtype).max).min(axis=1)
  winner = total.argmax(axis=1)        # the first, hence the nearest
  return np.take_along_axis(labels, winner[:, None], axis=1)[:, 0]
