"""Scores against scikit-learn, and where its functions have no answer."""

import numpy as np
import pytest
from sklearn import metrics

from dnajax.evaluators import scores


@pytest.mark.parametrize("seed", range(6))
def test_scores_equal_scikit_learn_with_classes_never_true_or_never_predicted(seed):
  rng = np.random.default_rng(seed)
  labels = rng.choice([0, 3, 4, 90, 91], 60)
  predicted = np.where(rng.random(60) < 0.6, labels, rng.choice([-1, 3, 4, 7], 60))
  assert scores.accuracy(labels, predicted) == pytest.approx(
      metrics.accuracy_score(labels, predicted))
  assert scores.macro_accuracy(labels, predicted) == pytest.approx(
      metrics.recall_score(labels, predicted, average="macro", labels=np.unique(labels)))
  assert scores.macro_f1(labels, predicted) == pytest.approx(
      metrics.f1_score(labels, predicted, average="macro", zero_division=0))
  assert scores.matthews(labels, predicted) == pytest.approx(
      metrics.matthews_corrcoef(labels, predicted))


@pytest.mark.parametrize("seed", range(4))
def test_scores_of_two_classes_equal_scikit_learn(seed):
  labels, predicted = np.random.default_rng(seed).integers(0, 2, (2, 40))
  assert scores.macro_accuracy(labels, predicted) == pytest.approx(
      metrics.balanced_accuracy_score(labels, predicted))
  assert scores.positive_f1(labels, predicted) == pytest.approx(
      metrics.f1_score(labels, predicted))
  assert scores.positive_f1(labels, predicted, positive=0) == pytest.approx(
      metrics.f1_score(labels, predicted, pos_label=0))
  assert scores.matthews(labels, predicted) == pytest.approx(
      metrics.matthews_corrcoef(labels, predicted))


def test_one_class_alone_has_no_correlation_and_no_positives():
  same = np.full(5, 2)
  assert scores.matthews(same, same) == 0
  assert scores.matthews(same, np.array([2, 2, 1, 1, 2])) == 0
  assert scores.positive_f1(same, same, positive=1) == 0
  assert [(one.name, one.value, one.unit) for one in scores.classification(same, same)] == [
      (name, 1, "share") for name in scores.CLASSIFICATION]
  assert all(np.isnan(one.value) for one in scores.classification(same, None))


def test_matthews_of_many_records_does_not_overflow():
  labels = np.arange(200_000) % 2
  assert scores.matthews(labels, labels) == pytest.approx(1)
  assert scores.matthews(labels, 1 - labels) == pytest.approx(-1)


def test_majority_is_the_lowest_of_the_most_frequent_labels():
  assert scores.majority([9, 4, 4, 9, 2]) == 4
