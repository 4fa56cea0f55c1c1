"""Labels of queries found without features: what an encoder has to beat."""

import numpy as np

from dnajax.evaluators import scores
from dnajax.identification import programs
from dnajax.shell import metric


class Runner:
  """Labels of the queries, found without features."""

  metrics = scores.CLASSIFICATION

  def __init__(self, predict, key_labels, query_labels, *, own=None, counts=None,
               protocol="baseline"):
    """predict: () -> (predicted [Q], {further number of records: value}), or (None, a
      sentence) if that cannot be done here, which gives no scores.
    counts: further numbers of records, reported as they are."""
    self._predict, self._key_labels, self._query_labels = predict, key_labels, query_labels
    self._own, self._counts, self._plan = own, counts or {}, protocol
    self.protocol, self.is_right = protocol, None

  def run(self, params):
    """Yields Metrics; params are not used."""
    predicted, more = self._predict()
    if predicted is None:
      self.protocol, more = f"{more}; planned: {self._plan}", {}
    else:
      self.protocol = self._plan
      self.is_right = predicted == self._query_labels
      yield from scores.classification(self._query_labels, predicted)
    yield from record_counts(self._query_labels, self._key_labels, self._own)
    yield from metric.counts({**more, **self._counts})


def record_counts(labels, key_labels, own=None):
  """How many records were asked and how many labels cannot be found.

  Args:
    labels: [Q] true labels of the queries.
    key_labels: [N] labels of the keys. A query whose label no key has cannot
      be right and counts as wrong.
    own: [Q] index of the key that is the query itself, or -1.

  Returns:
    Metrics num_queries, num_keys, num_unknown_labels.
  """
  classes, of_query = np.unique(labels, return_inverse=True)
  place = np.searchsorted(classes, key_labels)
  place = np.minimum(place, len(classes) - 1)
  others = np.bincount(place[classes[place] == key_labels], minlength=len(classes))[of_query]
  if own is not None:
    others = others - (np.asarray(own) >= 0)
  can_be_found = np.unique(of_query[others > 0])
  return metric.counts({"num_queries": len(labels), "num_keys": len(key_labels),
                        "num_unknown_labels": len(classes) - len(can_be_found)})


def majority(key_labels, num_queries):
  """The most frequent label of the keys, for every query."""
  return np.full(num_queries, scores.majority(key_labels)), {}


def by_best_hit(keys, queries, program, own):
  """The label of each query's best hit; -1, hence wrong, where there is none."""
  found, reason = programs.search(queries.bases, keys.bases, program, own=own)
  if found is None:
    return None, reason
  ids, _ = found
  return (np.where(ids >= 0, keys.labels[ids], -1),
          {"num_without_hit": int((ids < 0).sum())})
