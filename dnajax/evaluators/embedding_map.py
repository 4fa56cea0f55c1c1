"""A picture of the features of a few random, rare labels.

BarcodeMAE, Fig. 2 (papers: sections 1.1 and 8): 20 random under-represented
genera, t-SNE.
"""

import dataclasses
from typing import Literal

import numpy as np

from dnajax.evaluators import base, labelled, libraries, projection, scores
from dnajax.shell import errors, metric

# More could not be told apart: colours × markers of the figure.
_MOST_LABELS = 42


@dataclasses.dataclass(frozen=True)
class EmbeddingMap(base.Evaluator):
  """Where the features of records of a few rare labels lie."""
  split: str = "unseen"    # records that are drawn
  label: str = "genus"     # any rank of the data set
  num_labels: int = 20     # chosen at random, all there are if fewer; 42 at most
  min_per_label: int = 5   # a label has at least so many records
  max_per_label: int = 50  # a label has fewer records than this
  method: Literal["tsne", "umap", "pca"] = "tsne"  # see `projection.project`
  seed: int = 0            # of the choice and of the picture
  batch_size: int = 256    # rows per step of the encoder

  def check(self, setup):
    """What no value may be, whatever the data."""
    del setup
    yield from base.at_least(self, min_per_label=2, max_per_label=3, seed=0, batch_size=1)
    if not 2 <= self.num_labels <= _MOST_LABELS:
      yield "num_labels", f"between 2 and {_MOST_LABELS}"

  @property
  def task(self):
    """Names the method."""
    return f"{projection.METHODS[self.method][1]} of rare {self.label}, {self.split}"

  def asks_untrained(self, evals):
    """Yes."""
    return True

  def build(self, context):
    """A `Runner`; UserError also if a library is absent, or fewer than two labels have
    the wanted number of records."""
    projection.check(self.method)
    libraries.check("sklearn")
    source = context.split(self.split)
    labels = source.labels(self.label)
    wanted = choose_labels(
        labels, num_labels=self.num_labels, min_per_label=self.min_per_label,
        max_per_label=self.max_per_label, seed=self.seed)
    if len(wanted) < 2:
      raise errors.UserError(
          f"Split {self.split!r} of {context.data_directory} has {len(wanted)} {self.label} "
          f"with at least {self.min_per_label} and fewer than {self.max_per_label} records; "
          "two are needed. Change min_per_label, max_per_label, label or split in "
          "config.evals.")
    ids = np.flatnonzero(np.isin(labels, wanted))
    side = labelled.Labelled(self.split, ids, source.bases(ids, context.length),
                             labels[ids], int((labels < 0).sum()))
    names = source.vocabulary(self.label)
    return Runner(
        lambda params: labelled.encode(context, params, side, batch_size=self.batch_size),
        side.labels, {int(label): names[label] for label in wanted},
        method=self.method, seed=self.seed, protocol=(
            f"{len(wanted)} {self.label} chosen at random (seed {self.seed}) of those with "
            f"{self.min_per_label} to {self.max_per_label - 1} records in split {self.split}, "
            f"all their records; {projection.METHODS[self.method][1]}, library defaults; "
            "neighbor agreement: share of points whose nearest point in the picture has the "
            "same label; silhouette by cosine of the features"))


def choose_labels(labels, *, num_labels, min_per_label, max_per_label, seed):
  """Random labels that few records have.

  Args:
    labels: [N] int, -1 where absent.
    num_labels: how many; all there are if fewer.
    min_per_label: a label has at least so many records.
    max_per_label: a label has fewer records than this.
    seed: of the choice; it depends on nothing else but the labels.

  Returns:
    Sorted label ids, int array.
  """
  values, counts = np.unique(labels[labels >= 0], return_counts=True)
  rare = values[(counts >= min_per_label) & (counts < max_per_label)]
  return np.sort(np.random.default_rng(seed).permutation(rare)[:num_labels])


def agreement(points, labels):
  """Share of points whose nearest other point has the same label.

  Args:
    points: [N, 2], N >= 2.
    labels: [N].

  Returns:
    float.
  """
  from sklearn import neighbors
  nearest = neighbors.NearestNeighbors(n_neighbors=1).fit(points)
  ids = nearest.kneighbors(return_distance=False)[:, 0]     # a point is not its own
  return float((labels[ids] == labels).mean())


class Runner:
  """Where the features of records of a few labels lie."""

  def __init__(self, features, labels, names, *, method="tsne", seed=0,
               protocol="a picture of features"):
    """features: params -> [N, D]; labels: [N]; names: {label: text};
    method, seed: see `projection.project`."""
    self._features, self._labels, self._names = features, labels, names
    self._method, self._seed, self.protocol = method, seed, protocol
    self._seen, self._rows = None, np.zeros((0, 0), np.float32)

  def run(self, params):
    """Yields Metrics; NaN if a feature is not finite."""
    from sklearn import metrics
    self._rows = rows = self._features(params)
    self._seen = None
    agree = silhouette = float("nan")
    if np.isfinite(rows).all():
      self._seen = projection.project(rows, self._method, seed=self._seed)
      agree = agreement(self._seen[0], self._labels)
      silhouette = float(metrics.silhouette_score(rows, self._labels, metric="cosine"))
    yield from metric.shares({
        "neighbor_agreement": agree,
        "neighbor_agreement_by_chance": scores.agreement_by_chance(self._labels)})
    yield metric.Metric("silhouette", silhouette)
    yield from metric.counts({"num_records": len(self._labels),
                              "num_labels": len(np.unique(self._labels))})

  def figures(self):
    """{"embedding_map": Figure} of the last run; empty before it."""
    from dnajax.evaluators import figures
    if self._seen is None:
      return {}
    points, axes = self._seen
    return {"embedding_map": figures.label_map(points, self._labels, self._names, axes)}

  def points(self):
    """(features [N, D], the name of each row's label) of the last run, for a look at them
    in more dimensions than a picture has; no rows before it."""
    return self._rows, [self._names[int(label)] for label in self._labels[:len(self._rows)]]
