"""Scores of predicted labels, from NumPy arrays alone.

Each equals the function of scikit-learn named with it; labels are any integers.
"""

import numpy as np

from dnajax.shell import metric


def accuracy(labels, predicted):
  """Share of predictions that are right (accuracy_score). [Q], [Q] -> float."""
  return float((np.asarray(labels) == np.asarray(predicted)).mean())


def macro_accuracy(labels, predicted):
  """Mean over the true classes of the share found (balanced_accuracy_score).

  Args:
    labels: [Q] true labels. Classes that do not occur among them do not count.
    predicted: [Q] labels.
  """
  of_class, _, right = _counts(labels, predicted)
  occurs = of_class > 0
  return float((right[occurs] / of_class[occurs]).mean())


def macro_f1(labels, predicted):
  """Mean F1 over the classes that are true or predicted (f1_score, macro).

  Args:
    labels: [Q] true labels.
    predicted: [Q] labels. A class that is only predicted has F1 0, and so has
      one that is never predicted.
  """
  of_class, of_prediction, right = _counts(labels, predicted)
  return float((2 * right / (of_class + of_prediction)).mean())


def matthews(labels, predicted):
  """Matthews' correlation for any number of classes (matthews_corrcoef).

  Args:
    labels: [Q] true labels.
    predicted: [Q] labels. If these or the true ones are all the same, 0.
  """
  of_class, of_prediction, right = (x.astype(np.float64) for x in
                                    _counts(labels, predicted))
  total = of_class.sum()
  covariance = right.sum() * total - of_class @ of_prediction
  spread = (total**2 - of_class @ of_class) * (total**2 - of_prediction @ of_prediction)
  return float(covariance / np.sqrt(spread)) if spread > 0 else 0.0


def positive_f1(labels, predicted, *, positive=1):
  """F1 of one class against the rest (f1_score, binary).

  Args:
    labels: [Q] true labels.
    predicted: [Q] labels.
    positive: the class. 0 if it is neither true nor predicted anywhere.
  """
  labels, predicted = np.asarray(labels) == positive, np.asarray(predicted) == positive
  both = labels.sum() + predicted.sum()
  return float(2 * (labels & predicted).sum() / both) if both else 0.0


def classification(labels, predicted):
  """Metrics accuracy, macro_accuracy and macro_f1.

  Args:
    labels: [Q] true labels.
    predicted: [Q] labels; None if there are none to be had: NaN then.
  """
  of = (accuracy, macro_accuracy, macro_f1)
  return metric.shares(
      (name, float("nan") if predicted is None else score(labels, predicted))
      for name, score in zip(CLASSIFICATION, of, strict=True))


CLASSIFICATION = ("accuracy", "macro_accuracy", "macro_f1")  # what it returns


def majority(labels):
  """The most frequent label; of several the lowest. [N] -> int."""
  classes, counts = np.unique(np.asarray(labels), return_counts=True)
  return int(classes[counts.argmax()])


def agreement_by_chance(labels):
  """Share of pairs of two different items that have one label. [n] -> float."""
  counts = np.unique(labels, return_counts=True)[1]
  num = len(labels)
  return float((counts * (counts - 1)).sum() / (num * (num - 1)))


def _counts(labels, predicted):
  """Per class, true or predicted: how often true, predicted, both. Three [C]."""
  labels, predicted = np.asarray(labels), np.asarray(predicted)
  classes, ids = np.unique(np.concatenate([labels, predicted]), return_inverse=True)
  true, said = ids[:len(labels)], ids[len(labels):]
  count = lambda of: np.bincount(of, minlength=len(classes))
  return count(true), count(said), count(true[true == said])
