"""k-NN against scikit-learn and against loops."""

import jax
import ml_collections
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


def test_labels_that_no_other_record_has_are_counted():
  counts = baselines.record_counts(labels=np.array([1, 1, 1, 7]),
                                   key_labels=np.array([1, 2, 2]))
  assert dict(counts) == {"num_queries": 4, "num_keys": 3, "num_unknown_labels": 1}
  labels = np.array([3, 3, 4, 5])
  own = np.array([0, 1, 2, -1])   # the last query is no key; key 3 is another record
  assert dict(baselines.record_counts(labels, labels, own))["num_unknown_labels"] == 1


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


def make(config, *, mesh=None, params=None, name="knn_genus", spec=None, **changes):
  """The evaluator of an entry with changes, and parameters to run it on."""
  derived = config_lib.derive(config)
  model = config_lib.build_model(config, derived)
  spec = ml_collections.ConfigDict({**config.evals[name], **(spec or {}), **changes})
  if params is None and spec.features == "encoder":
    params = evaluate.initial_params(config, derived, model)
  return base.make(spec, base.Context(config, derived, model, mesh)), params


def run_of(config, **kwargs):
  evaluator, params = make(config, **kwargs)
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


def test_numbers_of_neighbours_share_one_search(tiny_config):
  spec = dict(tiny_config().evals.knn_genus_kmers)
  several = run_of(tiny_config(), name="knn_genus_kmers", spec=spec | {
      "num_neighbors": (1, 3, 5), "vote": "softmax"})
  for n in (1, 3, 5):
    alone = run_of(tiny_config(), name="knn_genus_kmers", spec=spec | {
        "num_neighbors": n, "vote": "softmax"})
    for metric in ("accuracy", "macro_accuracy", "macro_f1"):
      assert several[metric + (f"_k{n}" if n > 1 else "")] == alone[metric]


def test_figure_shows_each_number_of_neighbours(tiny_config):
  pytest.importorskip("matplotlib", reason="figures need matplotlib")
  evaluator, params = make(tiny_config(), name="knn_genus_kmers",
                           spec={"num_neighbors": [1, 2, 4]})   # a list, as from JSON
  assert evaluator.figures() == {}
  values = dict(evaluator.run(params))
  axes, = evaluator.figures()["num_neighbors"].axes
  np.testing.assert_array_equal(axes.lines[0].get_xdata(), [1, 2, 4])
  np.testing.assert_allclose(axes.lines[0].get_ydata(), [
      100 * values["accuracy" + suffix] for suffix in ("", "_k2", "_k4")])


def test_leave_one_out_asks_the_other_records(tiny_config):
  same = {"key_split": "train", "query_split": "train", "label": "genus", "k": 4}
  with_itself = run_of(tiny_config(), name="knn_genus_kmers", spec=same)
  without = run_of(tiny_config(), name="knn_genus_kmers",
                   spec=same | {"leave_one_out": True, "max_queries": 15})
  assert with_itself["accuracy"] > without["accuracy"] > 0
  assert (without["num_queries"], without["num_keys"]) == (15, with_itself["num_keys"])
  with pytest.raises(errors.UserError, match="leave_one_out.*query_split"):
    run_of(tiny_config(), name="knn_genus_kmers", spec={"leave_one_out": True})


def test_majority_says_the_most_frequent_label_of_the_keys(tiny_config):
  config = tiny_config()
  got = run_of(config, name="knn_genus_kmers", spec={"features": "majority"})
  directory = records.find(config.data.dir, config.data.name)
  keys, queries = (records.open_split(directory, split).labels("genus")
                   for split in ("train", "unseen"))
  assert got["accuracy"] == (queries == np.bincount(keys).argmax()).mean()
  assert got["macro_accuracy"] == 1 / len(np.unique(queries))


@pytest.mark.parametrize("key, value, says", [
    ("vote", "loud", "'softmax'"), ("ties", "none", "lowest_label"), ("temprature", 0.1, "no such"),
    ("temperature", 0.0, "above 0"), ("num_neighbors", (1, 1), "once"),
    ("num_neighbors", (1, 0), "at least 1"), ("num_neighbors", 10**6, "at most"),
    ("num_neighbors", "5", "kind"), ("leave_one_out", 1, "kind"), ("program", "grep", "blastn")])
def test_wrong_keys_are_told_with_what_is_right(tiny_config, key, value, says):
  with pytest.raises(errors.UserError, match=f"{key}.*{says}"):
    run_of(tiny_config(), name="knn_genus_kmers", spec={key: value})
