"""Cosine nearest neighbours and their votes against scikit-learn and against loops."""

import numpy as np
import pytest
from sklearn import neighbors as sk_neighbors

from dnajax.inference import neighbors
from dnajax.shell import errors


def slow_nearest(queries, keys, num_neighbors):
  """All cosines in float64, sorted; of equal ones the lower key first."""
  out = []
  for query in queries.astype(np.float64):
    cosines = []
    for i, key in enumerate(keys.astype(np.float64)):
      norm = np.linalg.norm(query) * np.linalg.norm(key)
      cosines.append((-round(query @ key / norm, 12) if norm else 0.0, i))
    out.append([i for _, i in sorted(cosines)[:num_neighbors]])
  return np.array(out)


def slow_vote(rows):
  """Most frequent label; of several the one that comes first."""
  return [max(row, key=lambda label: (row.count(label), -row.index(label)))
          for row in rows.tolist()]


@pytest.mark.parametrize("block", [1, 4, 7, 100])
@pytest.mark.parametrize("num_neighbors", [1, 2, 5])
def test_neighbours_are_the_definition_with_ties_and_zero_vectors(num_neighbors, block):
  rng = np.random.default_rng(num_neighbors)
  keys = rng.integers(0, 3, (23, 3)).astype(np.float32)   # few values, so ties
  queries = rng.integers(0, 3, (9, 3)).astype(np.float32)
  keys[4] = queries[2] = 0
  # Multiples of one direction differ in the last digit, equal rows never do.
  keys, queries = (np.where(x.sum(axis=1, keepdims=True) > 0, x + [[9, 0, 0]], x)
                   .astype(np.float32) for x in (keys, queries))
  ids, cosines = neighbors.nearest(queries, keys, num_neighbors, block=block)
  np.testing.assert_array_equal(ids, slow_nearest(queries, keys, num_neighbors))
  assert (np.diff(cosines, axis=1) <= 0).all()


@pytest.mark.parametrize("num_neighbors", [1, 3])
def test_neighbours_equal_scikit_learn(num_neighbors):
  rng = np.random.default_rng(0)
  keys = rng.normal(size=(150, 12)).astype(np.float32)
  queries = rng.normal(size=(60, 12)).astype(np.float32)
  labels = rng.integers(0, 5, 150)
  theirs = sk_neighbors.KNeighborsClassifier(
      num_neighbors, metric="cosine", algorithm="brute").fit(keys, labels)
  ids, cosines = neighbors.nearest(queries, keys, num_neighbors, block=32)
  distances, want = theirs.kneighbors(queries)
  np.testing.assert_array_equal(ids, want)
  np.testing.assert_allclose(1 - cosines, distances, atol=1e-5)
  if num_neighbors == 1:
    np.testing.assert_array_equal(neighbors.vote(labels[ids]), theirs.predict(queries))


def test_equal_keys_in_different_blocks_give_the_lower_index():
  keys = np.tile(np.arange(1, 8, dtype=np.float32), (40, 1))
  ids, _ = neighbors.nearest(keys[:3], keys, 1, block=6)
  np.testing.assert_array_equal(ids, np.zeros((3, 1)))
  ids, _ = neighbors.nearest(keys[:3], keys, 4, block=6)
  np.testing.assert_array_equal(ids, [[0, 1, 2, 3]] * 3)


@pytest.mark.parametrize("num_neighbors", [0, 4])
def test_more_neighbours_than_keys_are_refused(num_neighbors):
  with pytest.raises(errors.UserError, match="1..3"):
    neighbors.nearest(np.ones((2, 2)), np.ones((3, 2)), num_neighbors)


@pytest.mark.parametrize("num_neighbors", [1, 2, 3, 8])
def test_vote_is_the_definition(num_neighbors):
  rows = np.random.default_rng(0).integers(0, 4, (50, num_neighbors))
  np.testing.assert_array_equal(neighbors.vote(rows), slow_vote(rows))


@pytest.mark.parametrize("how", ["uniform", "distance"])
@pytest.mark.parametrize("num_neighbors", [1, 2, 4, 9])
def test_votes_equal_scikit_learn_ties_included(how, num_neighbors):
  rng = np.random.default_rng(num_neighbors)
  keys = rng.normal(size=(80, 6)).astype(np.float32)
  queries = rng.normal(size=(120, 6)).astype(np.float32)
  queries[:5] = keys[:5]                       # distance 0
  labels = rng.integers(0, 4, 80)              # few labels, so ties
  theirs = sk_neighbors.KNeighborsClassifier(
      num_neighbors, metric="cosine", algorithm="brute", weights=how)
  theirs.fit(keys.astype(np.float64), labels)
  ids, cosines = neighbors.nearest(queries, keys, num_neighbors)
  weights = neighbors.weights(cosines, how)
  got = neighbors.vote(labels[ids], weights, ties="lowest_label")
  np.testing.assert_array_equal(got, theirs.predict(queries.astype(np.float64)))
  nearest = neighbors.vote(labels[ids], weights)
  if num_neighbors == 1 or how == "distance":  # sums of distances are never equal here
    np.testing.assert_array_equal(nearest, got)
  elif num_neighbors == 2:
    np.testing.assert_array_equal(nearest, labels[ids[:, 0]])
    assert (nearest != got).any()


def test_only_equal_records_vote_by_distance_if_there_are_any():
  cosines = np.array([[1, 1 - 1e-7, 0.9], [0.9, 0.8, 0.5]])
  np.testing.assert_allclose(neighbors.weights(cosines, "distance"),
                             [[1, 1, 0], [10, 5, 2]])


def test_softmax_votes_are_exp_of_cosine_over_temperature():
  rng = np.random.default_rng(0)
  cosines = -np.sort(-rng.uniform(-1, 1, (40, 5)), axis=1)
  labels = rng.integers(0, 3, (40, 5))
  want = [max(set(row), key=lambda label, row=row, cosine=cosine: sum(
      np.exp(c / 0.5) for c, one in zip(cosine, row, strict=True) if one == label))
      for row, cosine in zip(labels.tolist(), cosines, strict=True)]
  weights = neighbors.weights(cosines, "softmax", temperature=0.5)
  np.testing.assert_array_equal(neighbors.vote(labels, weights), want)
  cold = neighbors.weights(cosines, "softmax", temperature=1e-4)  # no overflow
  np.testing.assert_array_equal(neighbors.vote(labels, cold), labels[:, 0])


@pytest.mark.parametrize("block", [4, 100])
def test_a_query_that_is_a_key_is_never_its_own_neighbour(block):
  rows = np.random.default_rng(0).normal(size=(23, 3)).astype(np.float32)
  rows[5] = rows[9]
  ids, _ = neighbors.nearest(rows, rows, 3, own=np.arange(23), block=block)
  want = [[i for i in row if i != n][:3] for n, row in enumerate(slow_nearest(rows, rows, 5))]
  np.testing.assert_array_equal(ids, want)
  assert (ids[5, 0], ids[9, 0]) == (9, 5)
  with pytest.raises(errors.UserError, match="1..22.*less the query"):
    neighbors.nearest(rows, rows, 23, own=np.arange(23))
