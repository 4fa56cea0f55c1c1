"""k-NN against scikit-learn and against loops."""

import jax
import numpy as np
import pytest
from sklearn import neighbors as sk_neighbors

from dnajax import config as config_lib
from dnajax import errors, evaluate, partitioning
from dnajax.data import records
from dnajax.evaluators import base, baselines, features, neighbors, spread


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


def test_scores_count_absent_labels_as_wrong():
  got = dict(knn.scores(predicted=np.array([1, 1, 2, 1]), labels=np.array([1, 1, 1, 7]),
                        key_labels=np.array([1, 2, 2])))
  assert got == {"accuracy": 0.5, "macro_accuracy": (2 / 3 + 0) / 2, "num_queries": 4,
                 "num_keys": 3, "num_unknown_labels": 1}


def test_mean_cosine_is_the_mean_over_pairs_of_different_rows():
  rows = np.random.default_rng(0).normal(1, 1, (7, 4)).astype(np.float32)
  pairs = [rows[i] @ rows[j] / np.linalg.norm(rows[i]) / np.linalg.norm(rows[j])
           for i in range(7) for j in range(7) if i != j]
  assert dict(spread.collapse(rows))["mean_cosine"] == pytest.approx(np.mean(pairs), abs=1e-6)
  assert np.isnan(dict(spread.collapse(rows[:1]))["mean_cosine"])


@pytest.mark.parametrize("shape", [(30, 6), (6, 30)])
def test_effective_rank_is_exp_of_the_entropy_of_singular_values(shape):
  rows = np.random.default_rng(0).normal(size=shape).astype(np.float32)
  values = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False)
  share = values[values > 1e-5] / values.sum()
  want = np.exp(-(share * np.log(share)).sum())
  assert dict(spread.collapse(rows))["effective_rank"] == pytest.approx(want, rel=1e-5)


def test_effective_rank_counts_directions_and_ignores_rounding():
  rng = np.random.default_rng(0)
  same = np.tile(rng.normal(size=(1, 16)).astype(np.float32), (50, 1))
  assert dict(spread.collapse(same))["effective_rank"] == 0
  assert dict(spread.collapse(same))["mean_cosine"] == pytest.approx(1)
  line = same + rng.normal(size=(50, 1)).astype(np.float32) * np.eye(16)[0]
  assert dict(spread.collapse(line.astype(np.float32)))["effective_rank"] == pytest.approx(
      1, abs=1e-3)


def run_of(config, *, mesh=None, params=None, name="knn_genus", **spec):
  derived = config_lib.derive(config)
  model = config_lib.build_model(config, derived)
  if params is None and config.evals[name].features == "encoder":
    params = evaluate.initial_params(config, derived, model)
  config.evals[name].update(spec)
  evaluator = base.make(config.evals[name], base.Context(config, derived, model, mesh))
  return dict(evaluator.run(params))


def test_encoder_evaluator_is_the_same_on_one_device_and_on_a_mesh(tiny_config):
  alone = run_of(tiny_config())
  assert 0 <= alone["accuracy"] <= 1 and alone["num_unlabelled_keys"] == 0
  assert -1 <= alone["mean_cosine"] <= 1 and 1 < alone["effective_rank"] <= 16
  mesh = partitioning.make_mesh({"data": 4, "fsdp": 2, "tensor": 1})
  with partitioning.use(mesh):
    spread = run_of(tiny_config(), mesh=mesh)
  assert spread == pytest.approx(alone, abs=1e-4)


def test_kmer_evaluator_equals_scikit_learn_on_prepared_data(tiny_config):
  config = tiny_config()
  got = run_of(config, name="knn_genus_kmers", k=3)
  directory = records.find(config.data.dir, config.data.name)
  sides = {}
  for side in ("train", "unseen"):
    split = records.open_split(directory, side)
    sides[side] = (split.bases(np.arange(split.num_records), config.data.max_length),
                   split.labels("genus"))
  counts = {side: features.kmer_counts(x, 3) for side, (x, _) in sides.items()}
  theirs = sk_neighbors.KNeighborsClassifier(1, metric="cosine", algorithm="brute")
  theirs.fit(counts["train"].astype(np.float64), sides["train"][1])
  want = theirs.predict(counts["unseen"].astype(np.float64)) == sides["unseen"][1]
  assert got["accuracy"] == pytest.approx(want.mean(), abs=1.01 / len(want))  # a tie
  assert got["num_queries"] == len(want)
  assert not {"mean_cosine", "effective_rank"} & got.keys()


def test_records_without_the_label_are_left_out_and_counted(tiny_config, monkeypatch):
  real = records.Split.labels

  def some_absent(self, rank):
    labels = np.array(real(self, rank))
    labels[::3] = -1
    return labels

  whole = run_of(tiny_config(), name="knn_genus_kmers")
  monkeypatch.setattr(records.Split, "labels", some_absent)
  got = run_of(tiny_config(), name="knn_genus_kmers")
  for side in ("queries", "keys"):
    n = whole[f"num_{side}"]
    assert got[f"num_unlabelled_{side}"] == -(-n // 3)
    assert got[f"num_{side}"] == n - -(-n // 3)
  monkeypatch.setattr(records.Split, "labels",
                      lambda self, rank: np.full(self.num_records, -1))
  with pytest.raises(errors.UserError, match="has a genus"):
    run_of(tiny_config(), name="knn_genus_kmers")


def test_limits_choose_the_same_records_whatever_the_seed_of_the_run(tiny_config):
  first = run_of(tiny_config(), name="knn_genus_kmers", max_keys=9, max_queries=5)
  second = run_of(tiny_config(seed=7), name="knn_genus_kmers", max_keys=9, max_queries=5)
  assert first == second
  assert (first["num_keys"], first["num_queries"]) == (9, 5)


def test_features_that_are_not_finite_give_nan_and_no_accuracy(tiny_config):
  config = tiny_config()
  derived = config_lib.derive(config)
  params = evaluate.initial_params(
      config, derived, config_lib.build_model(config, derived))
  broken = jax.tree.map(lambda x: x * np.nan, params)
  assert np.isnan(list(run_of(config, params=broken).values())).all()


def test_unknown_kind_of_features_is_refused(tiny_config):
  with pytest.raises(errors.UserError, match="kmer_counts"):
    run_of(tiny_config(), features="pixels")


def test_whitened_keys_have_mean_zero_and_unit_covariance():
  rng = np.random.default_rng(0)
  mix = rng.normal(size=(6, 6)) * np.array([30, 1, 1, 1, 0.1, 0.1])
  keys, queries = rng.normal(size=(200, 6)) @ mix + 5, rng.normal(size=(9, 6)) @ mix + 5
  white, other = spread.whiten(keys, queries, floor=1e-12)
  np.testing.assert_allclose(white.mean(axis=0), 0, atol=1e-5)
  np.testing.assert_allclose(np.cov(white, rowvar=False), np.eye(6), atol=1e-3)
  assert other.shape == (9, 6)


def test_whitening_recovers_labels_under_a_direction_that_drowns_them():
  rng = np.random.default_rng(1)
  labels = np.arange(60) % 3
  rows = np.eye(4)[labels] + rng.normal(size=(60, 4)) * 0.05
  rows[:, 3] = rng.normal(size=60) * 1000
  ids, _ = neighbors.nearest(*reversed(spread.whiten(rows[:30], rows[30:])), 1)
  assert (labels[:30][ids[:, 0]] == labels[30:]).mean() > 0.9
