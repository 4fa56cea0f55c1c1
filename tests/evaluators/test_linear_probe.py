"""Linear probes against scikit-learn and against SGD written as a loop."""

import sys

import evaluating
import jax
import numpy as np
import pytest
from sklearn import linear_model, preprocessing

from dnajax.data import records
from dnajax.evaluators import linear_recipes
from dnajax.inference import kmer_counts
from dnajax.shell import errors


def points(seed=0, num_rows=90, num_classes=3):
  """Rows of overlapping classes with labels 10, 20, …, scales of their own."""
  rng = np.random.default_rng(seed)
  labels = np.arange(num_rows) % num_classes
  rows = rng.normal(size=(num_rows, 5)) + 1.5 * np.eye(5)[labels]
  return (rows * [1, 10, 1, 0.1, 1] + 3).astype(np.float32), 10 * (labels + 1)


def slow_sgd(rows, targets, key, *, num_classes, learning_rate, momentum, weight_decay,
             num_epochs, batch_size):
  """Softmax regression with the update rule of torch, one record at a time."""
  weights = np.zeros((rows.shape[1] + 1, num_classes))   # the last row is the bias
  velocity = np.zeros_like(weights)
  rows = np.concatenate([rows, np.ones((len(rows), 1))], axis=1).astype(np.float64)
  for epoch in range(num_epochs):
    order = np.asarray(jax.random.permutation(jax.random.fold_in(key, epoch), len(rows)))
    losses = []
    for start in range(0, len(rows), batch_size):
      batch = order[start:start + batch_size]
      gradient, loss = np.zeros_like(weights), 0.0
      for i in batch:
        score = np.exp(rows[i] @ weights)
        share = score / score.sum()
        loss -= np.log(share[targets[i]]) / len(batch)
        gradient += np.outer(rows[i], share - np.eye(num_classes)[targets[i]]) / len(batch)
      velocity = momentum * velocity + gradient + weight_decay * weights
      weights -= learning_rate * velocity
      losses.append(loss)
  return weights, np.mean(losses)


@pytest.mark.parametrize("batch_size", [7, 10, 20])   # with and without a smaller last batch
def test_sgd_is_the_definition(batch_size):
  rows, labels = points(num_rows=20)
  kwargs = dict(num_classes=3, learning_rate=0.05, momentum=0.9, weight_decay=0.1,
                num_epochs=3, batch_size=batch_size)
  key = jax.random.key(4)
  params, loss = linear_recipes.fit_sgd(rows, labels // 10 - 1, key, **kwargs)
  weights, want = slow_sgd(rows, labels // 10 - 1, key, **kwargs)
  np.testing.assert_allclose(params["kernel"], weights[:-1], atol=1e-4)
  np.testing.assert_allclose(params["bias"], weights[-1], atol=1e-4)
  assert loss == pytest.approx(want, rel=1e-4)


def test_sgd_scales_all_features_by_one_mean_and_deviation():
  rows, labels = points()
  first, _ = linear_recipes.sgd(rows[:60], labels[:60], rows[60:], num_epochs=5)
  second, _ = linear_recipes.sgd(rows[:60] * 7 + 100, labels[:60], rows[60:] * 7 + 100,
                               num_epochs=5)
  np.testing.assert_array_equal(first, second)
  assert (first == labels[60:]).mean() > 0.6


def test_sgd_that_diverges_predicts_nothing():
  rows, labels = points()
  predicted, values = linear_recipes.sgd(rows, labels, rows, learning_rate=1e38, num_epochs=3)
  assert predicted is None and np.isnan(values["train_loss"])


def test_logistic_regression_is_that_of_scikit_learn_with_the_best_penalty():
  rows, labels = points(num_rows=150)
  train, valid, test = rows[:40], rows[40:90], rows[90:]
  strengths = (1e-4, 1e-2, 1.0)
  predicted, values = linear_recipes.logistic(
      train, labels[:40], valid, labels[40:90], test, strengths=strengths[::-1],
      max_iterations=500)
  scale = preprocessing.StandardScaler().fit(train)
  models = [linear_model.LogisticRegression(C=c, max_iter=500).fit(
      scale.transform(train), labels[:40]) for c in strengths]
  accuracies = [model.score(scale.transform(valid), labels[40:90]) for model in models]
  best = int(np.argmax(accuracies))
  assert values == {"chosen_C": strengths[best], "is_converged": 1.0,
                    "valid_accuracy": pytest.approx(accuracies[best])}
  assert (predicted == models[best].predict(scale.transform(test))).mean() > 0.98


def test_too_few_iterations_are_said_and_not_warned_of(recwarn):
  rows, labels = points()
  _, values = linear_recipes.logistic(rows, labels, None, None, rows, strengths=(1.0,),
                                    max_iterations=1)
  assert values == {"chosen_C": 1.0, "is_converged": 0.0}
  assert not recwarn.list


def make(data_dir, **changes):
  return evaluating.build_on(data_dir, "linear_probe", **dict(
      label="genus", batch_size=16) | changes)


@pytest.mark.parametrize("recipe", ["logistic", "sgd"])
def test_probe_of_an_encoder_beats_the_most_frequent_label(tiny_data, recipe):
  evaluator, params = make(tiny_data, recipe=recipe, num_epochs=20, learning_rate=0.1)
  got = evaluating.values(evaluator, params)
  simple, _ = make(tiny_data, features="majority", recipe=recipe)
  floor = evaluating.values(simple, params)
  assert got["accuracy"] > floor["accuracy"] >= 1 / 8
  assert floor["macro_accuracy"] == pytest.approx(1 / 8)
  assert got["num_records"] == floor["num_records"] and got["num_unknown_labels"] == 0
  assert set(evaluator.metrics) <= got.keys()


def test_kmer_probe_sees_frequencies(tiny_data):
  evaluator, _ = make(tiny_data, features="kmer_counts", k=2, C=0.5)
  got = evaluating.values(evaluator, None)
  directory = evaluating.directory(tiny_data)
  rows, labels = {}, {}
  for side in ("train", "test"):
    split = records.open_split(directory, side)
    counts = kmer_counts.kmer_counts(split.bases(np.arange(split.num_records), 72), 2)
    rows[side], labels[side] = counts / counts.sum(axis=1, keepdims=True), split.labels("genus")
  predicted, _ = linear_recipes.logistic(rows["train"], labels["train"], None, None,
                                       rows["test"], strengths=(0.5,), max_iterations=100)
  assert got["accuracy"] == (predicted == labels["test"]).mean()
  assert got["chosen_C"] == 0.5 and "valid_accuracy" not in got


def test_labels_that_training_never_saw_count_as_wrong(tiny_data):
  evaluator, params = make(tiny_data, label="species", test_split="unseen", C=1.0)
  got = evaluating.values(evaluator, params)
  assert got["accuracy"] == 0 and got["num_unknown_labels"] > 0


def test_features_that_are_not_finite_give_nan(tiny_data):
  evaluator, params = make(tiny_data)
  got = evaluating.values(evaluator, jax.tree.map(lambda x: x * np.nan, params))
  assert np.isnan([got[name] for name in evaluator.metrics]).all()


@pytest.mark.parametrize("key, value, says", [
    ("recipe", "adam", "'sgd'"), ("features", "pixels", "'kmer_counts'"), ("C", -1.0, "above 0"),
    ("C", (), "one number or more"), ("num_epochs", 0, "at least 1"),
    ("lr", 1.0, "There is no config.evals.it.lr"),
    ("label", "phylum", "no labels of rank|same phylum")])
def test_wrong_keys_are_told_with_what_is_right(tiny_data, key, value, says):
  with pytest.raises(errors.UserError, match=says):
    make(tiny_data, **{key: value})


def test_absent_scikit_learn_is_told_before_anything_runs(tiny_data, monkeypatch):
  monkeypatch.setitem(sys.modules, "sklearn", None)
  with pytest.raises(errors.UserError, match=r"pip install 'dnajax\[eval\]'.*recipe='sgd'"):
    make(tiny_data)
  make(tiny_data, recipe="sgd")


def test_kmer_frequencies_that_would_fill_the_memory_are_refused(tiny_data):
  with pytest.raises(errors.UserError, match="GiB.*Lower k"):
    make(tiny_data, features="kmer_counts", k=14)
