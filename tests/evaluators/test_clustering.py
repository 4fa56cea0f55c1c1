"""Zero-shot clustering: scores, rounds and sizes."""

import sys

import evaluating
import jax
import numpy as np
import pytest
from sklearn import cluster as sk_cluster
from sklearn import metrics

from dnajax.data import records
from dnajax.evaluators import clustering
from dnajax.inference import kmer_counts
from dnajax.shell import errors


def blobs(num_rows=60, num_classes=4, spread=0.05):
  rng = np.random.default_rng(0)
  labels = np.arange(num_rows) % num_classes
  return (np.eye(8)[labels] + rng.normal(size=(num_rows, 8)) * spread).astype(np.float32), labels


def make(data_dir, **changes):
  return evaluating.build_on(data_dir, "zero_shot_clustering", **dict(
      label="genus", reduction="none", batch_size=16) | changes)


def test_groups_that_stand_apart_are_found_whatever_their_names():
  rows, labels = blobs()
  evaluator = clustering.Runner(lambda params: rows, 7 - labels)
  assert evaluating.values(evaluator, None) == {
      "ami": pytest.approx(1), "ari": pytest.approx(1), "v_measure": pytest.approx(1),
      "num_records": 60, "num_labels": 4, "num_clusters": 4}


def test_scores_equal_scikit_learn_on_prepared_data(tiny_data):
  evaluator, _ = make(tiny_data, features="kmer_counts", k=3, label="species", num_clusters=9)
  got = evaluating.values(evaluator, None)
  directory = evaluating.directory(tiny_data)
  rows, labels = [], []
  for name in ("test", "unseen"):
    split = records.open_split(directory, name)
    rows.append(kmer_counts.kmer_counts(split.bases(np.arange(split.num_records), 72), 3))
    labels.append(split.labels("species"))
  rows, labels = np.concatenate(rows), np.concatenate(labels)
  rows, labels = rows[labels >= 0], labels[labels >= 0]
  clusters = sk_cluster.AgglomerativeClustering(9).fit_predict(
      rows / rows.sum(axis=1, keepdims=True))
  assert got["ami"] == pytest.approx(metrics.adjusted_mutual_info_score(labels, clusters))
  assert got["ari"] == pytest.approx(metrics.adjusted_rand_score(labels, clusters))
  assert got["v_measure"] == pytest.approx(metrics.v_measure_score(labels, clusters))
  assert (got["num_records"], got["num_clusters"]) == (len(labels), 9)
  assert got["num_labels"] == len(np.unique(labels))


def test_several_seeds_give_mean_and_standard_deviation():
  rows, labels = blobs(spread=0.4)

  def reduction(rows, *, seed):
    return rows + np.random.default_rng(seed).normal(size=rows.shape) * 0.5

  several = clustering.Runner(lambda params: rows, labels, seeds=(1, 2, 3),
                                          reduction=reduction)
  got = evaluating.values(several, None)
  alone = [evaluating.values(clustering.Runner(
      lambda params: rows, labels, seeds=(seed,), reduction=reduction), None)
           for seed in (1, 2, 3)]
  for name in clustering.SCORES:
    values = [one[name] for one in alone]
    assert got[name] == pytest.approx(np.mean(values))
    assert got[f"{name}_std"] == pytest.approx(np.std(values, ddof=1))
    assert f"{name}_std" not in alone[0]
  assert got["ami_std"] > 0


def test_an_encoder_is_clustered_and_one_without_numbers_gives_nan(tiny_data):
  evaluator, params = make(tiny_data, splits="test", max_records=20)
  got = evaluating.values(evaluator, params)
  assert got["num_records"] == 20 and 0 < got["v_measure"] <= 1
  broken = evaluating.values(evaluator, jax.tree.map(lambda x: x * np.nan, params))
  assert np.isnan([broken[name] for name in clustering.SCORES]).all()


@pytest.mark.slow  # umap compiles its loops
def test_umap_rounds_are_repeatable_and_find_groups():
  pytest.importorskip("umap", reason="umap-learn is not installed")
  rows, labels = blobs(num_rows=80)
  first, again = (clustering.reduce(rows, num_dimensions=3, n_neighbors=10, seed=1)
                  for _ in range(2))
  np.testing.assert_array_equal(first, again)
  assert first.shape == (80, 3)
  assert clustering.agreement(labels, clustering.cluster(first, 4))["ami"] > 0.9


@pytest.mark.parametrize("library", ["umap", "sklearn"])
def test_absent_libraries_are_told_before_anything_runs(tiny_data, monkeypatch, library):
  monkeypatch.setitem(sys.modules, "umap", sys)   # there, as far as anyone looks
  monkeypatch.setitem(sys.modules, library, None)
  with pytest.raises(errors.UserError, match=rf"{library}.*pip install 'dnajax\[eval\]'"):
    make(tiny_data, reduction="umap", num_dimensions=2, n_neighbors=2)


@pytest.mark.parametrize("changes, says", [
    ({"reduction": "pca"}, "'umap'"),
    ({"n_neighbours": 5}, "did you mean config.evals.it.n_neighbors"),
    ({"splits": "tset"}, "no split 'tset'"), ({"splits": ()}, "one split or more"),
    ({"n_neighbors": 1}, "at least 2"), ({"num_clusters": 10**6}, "at most"),
    ({"reduction": "umap", "n_neighbors": 10**6}, "n_neighbors.*at most"),
    ({"reduction": "umap", "max_records": 20, "splits": "test"}, "num_dimensions=50.*18 for 20"),
    ({"features": "kmer_counts", "k": 14}, "Lower k")])
def test_wrong_keys_are_told_with_what_is_right(tiny_data, monkeypatch, changes, says):
  monkeypatch.setitem(sys.modules, "umap", sys)   # there, as far as anyone looks
  with pytest.raises(errors.UserError, match=says):
    make(tiny_data, **changes)


def test_more_records_than_memory_are_refused(tiny_data, monkeypatch):
  monkeypatch.setattr(clustering, "_MOST_RECORDS", 10)
  with pytest.raises(errors.UserError, match="max_records.*at most 10"):
    make(tiny_data)
