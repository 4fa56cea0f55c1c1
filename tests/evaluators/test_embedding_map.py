"""Maps of features: the choice of labels, the numbers, the picture."""

import evaluating
import numpy as np
import pytest

from dnajax.data import records
from dnajax.evaluators import embedding_map, libraries, projection
from dnajax.shell import errors

pytest.importorskip("sklearn")
threadpoolctl = pytest.importorskip("threadpoolctl")  # comes with scikit-learn


def test_labels_are_rare_ones_chosen_at_random_and_always_the_same():
  labels = np.repeat([0, 1, 2, 3, 4, -1], [3, 9, 5, 6, 1, 4])
  every = dict(min_per_label=3, max_per_label=9, seed=0)
  assert embedding_map.choose_labels(labels, num_labels=9, **every).tolist() == [0, 2, 3]
  chosen = {tuple(embedding_map.choose_labels(
      labels, num_labels=2, min_per_label=3, max_per_label=9, seed=seed))
            for seed in range(20)}
  assert chosen == {(0, 2), (0, 3), (2, 3)}
  shuffled = np.random.default_rng(0).permutation(labels)
  np.testing.assert_array_equal(
      embedding_map.choose_labels(labels, num_labels=2, **every),
      embedding_map.choose_labels(shuffled, num_labels=2, **every))


def test_agreement_is_the_definition():
  rng = np.random.default_rng(0)
  points, labels = rng.normal(size=(30, 2)), rng.integers(0, 3, 30)
  distance = np.linalg.norm(points[:, None] - points, axis=-1) + 1e9 * np.eye(30)
  want = np.mean([labels[distance[i].argmin()] == labels[i] for i in range(30)])
  assert embedding_map.agreement(points, labels) == pytest.approx(want)


def test_groups_that_are_apart_are_seen_and_groups_that_are_not_are_not():
  rng = np.random.default_rng(0)
  labels = np.repeat([4, 7, 9], 12)
  apart = np.repeat(10 * np.eye(5)[:3], 12, axis=0) + rng.normal(size=(36, 5)) * 0.1
  names = {4: "a", 7: "b", 9: "c"}

  def run(rows):
    return evaluating.values(embedding_map.Runner(
        lambda params: rows, labels, names, method="pca"), None)

  got = run(apart)
  assert got["neighbor_agreement"] == 1 and got["silhouette"] > 0.9
  pairs = [labels[i] == labels[j] for i in range(36) for j in range(36) if i != j]
  assert got["neighbor_agreement_by_chance"] == pytest.approx(np.mean(pairs))
  assert (got["num_records"], got["num_labels"]) == (36, 3)
  got = run(rng.normal(size=(36, 5)))
  assert got["neighbor_agreement"] < 0.8 and abs(got["silhouette"]) < 0.2


@pytest.mark.parametrize("method", ["tsne", "pca"])
@pytest.mark.parametrize("num_rows", [3, 20])
def test_a_projection_is_finite_and_the_same_at_every_call(method, num_rows):
  rows = np.random.default_rng(0).normal(size=(num_rows, 6)).astype(np.float32)
  with threadpoolctl.threadpool_limits(1):    # many threads are slow on few rows
    points, axes = projection.project(rows, method)
    again, _ = projection.project(rows, method)
  assert points.shape == (num_rows, 2) and np.isfinite(points).all() and len(axes) == 2
  np.testing.assert_array_equal(points, again)
  same, _ = projection.project(np.ones((5, 6)), method)     # collapsed features
  assert np.isfinite(same).all()


def test_umap_works_or_its_absence_is_explained(monkeypatch):
  # 20 rows are quicker than the compiler.
  monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
  try:
    import umap  # noqa: F401
  except ImportError:
    with pytest.raises(errors.UserError, match=r"dnajax\[eval\]"):
      projection.check("umap")
    return
  rows = np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32)
  points, _ = projection.project(rows, "umap")
  np.testing.assert_array_equal(points, projection.project(rows, "umap")[0])


def test_an_absent_library_is_named_with_the_way_to_install_it():
  with pytest.raises(errors.UserError, match=r"no_such_library.*pip install 'dnajax\[eval\]'"):
    libraries.check("no_such_library")


def make(data_dir, **options):
  return evaluating.build_on(data_dir, "embedding_map", **dict(
      split="train", method="pca", min_per_label=2, max_per_label=999, batch_size=16) | options)


def test_the_map_shows_all_records_of_its_labels_under_their_names(tiny_data):
  pytest.importorskip("matplotlib")
  evaluator, params = make(tiny_data, num_labels=3)
  assert evaluator.figures() == {}
  got = evaluating.values(evaluator, params)
  split = records.open_split(evaluating.directory(tiny_data), "train")
  labels = split.labels("genus")
  fig = evaluator.figures()["embedding_map"]
  shown = {points.get_label(): len(points.get_offsets()) for points in fig.axes[0].collections}
  genera = split.vocabulary("genus")
  assert shown == {name: (labels == genera.index(name)).sum() for name in shown}
  assert len(shown) == got["num_labels"] == 3 and sum(shown.values()) == got["num_records"]
  assert [text.get_text() for text in fig.legends[0].get_texts()] == list(shown)


def test_each_of_the_most_labels_has_a_style_of_its_own():
  pytest.importorskip("matplotlib")
  from dnajax.evaluators import figures
  num = embedding_map._MOST_LABELS
  names = {label: f"genus {label}" for label in range(num)}
  fig = figures.label_map(np.random.default_rng(0).normal(size=(num, 2)), np.arange(num),
                          names, ("x", "y"))
  styles = {(tuple(points.get_facecolor()[0]), len(points.get_paths()[0].vertices),
             points.get_paths()[0].vertices.tobytes()) for points in fig.axes[0].collections}
  assert len(styles) == num


def test_features_that_are_not_finite_give_nan_and_no_figure():
  pytest.importorskip("matplotlib")
  evaluator = embedding_map.Runner(
      lambda params: np.full((4, 3), np.nan), np.array([0, 0, 1, 1]), {0: "a", 1: "b"})
  got = evaluating.values(evaluator, None)
  assert np.isnan(got["neighbor_agreement"]) and np.isnan(got["silhouette"])
  assert evaluator.figures() == {}


@pytest.mark.parametrize(("options", "text"), [
    (dict(method="mds"), "'tsne', 'umap' or 'pca'"), (dict(num_labels=99), "between 2 and 42"),
    (dict(min_per_label=1), "at least 2"), (dict(min_per_label=500, max_per_label=501), "two are"),
    (dict(label="tribe"), "no labels of rank"), (dict(split="nowhere"), "no split")])
def test_wrong_options_are_refused(tiny_data, options, text):
  with pytest.raises(errors.UserError, match=text):
    make(tiny_data, **options)


def test_points_are_the_features_with_the_names_of_their_labels():
  pytest.importorskip("sklearn")
  rows = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
  runner = embedding_map.Runner(lambda params: rows, np.array([0, 4, 0, 4, 4, 0]),
                                {0: "Apis", 4: "Bombus"}, method="pca")
  assert len(runner.points()[0]) == len(runner.points()[1]) == 0
  list(runner.run(None))
  found, names = runner.points()
  assert np.array_equal(found, rows)
  assert names == ["Apis", "Bombus", "Apis", "Bombus", "Bombus", "Apis"]
