"""A picture of the features of a few random, rare labels.

BarcodeMAE, Fig. 2 (papers: sections 1.1 and 8): 20 random under-represented
genera, t-SNE.
"""

import numpy as np

from dnajax import errors
from dnajax.data import records
from dnajax.evaluators import labelled, projection, scores, specs

# More could not be told apart: colours × markers of the figure.
_MOST_LABELS = 42

DEFAULTS = dict(split="unseen", label="genus", num_labels=20, min_per_label=5,
                max_per_label=50, method="tsne", seed=0, batch_size=256, features="encoder")

_WANTED = {
    "features": specs.one_of(("encoder",)),
    "num_labels": (lambda x: 2 <= x <= _MOST_LABELS, f"between 2 and {_MOST_LABELS}"),
    "min_per_label": specs.at_least(2), "max_per_label": specs.at_least(3),
    "seed": specs.at_least(0), "batch_size": specs.at_least(1)}


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


class EmbeddingMap:
  """Where the features of records of a few labels lie."""

  def __init__(self, features, labels, names, *, method="tsne", seed=0):
    """features: params -> [N, D]; labels: [N]; names: {label: text};
    method, seed: see `projection.project`."""
    self._features, self._labels, self._names = features, labels, names
    self._method, self._seed = method, seed
    self._seen = None

  def run(self, params):
    """Yields (metric name, value); NaN if a feature is not finite."""
    from sklearn import metrics
    rows = self._features(params)
    self._seen = None
    agree = silhouette = float("nan")
    if np.isfinite(rows).all():
      self._seen = projection.project(rows, self._method, seed=self._seed)
      agree = agreement(self._seen[0], self._labels)
      silhouette = float(metrics.silhouette_score(rows, self._labels, metric="cosine"))
    yield "neighbor_agreement", agree
    yield "neighbor_agreement_by_chance", scores.agreement_by_chance(
        self._labels)
    yield "silhouette", silhouette
    yield "num_records", len(self._labels)
    yield "num_labels", len(np.unique(self._labels))

  def figures(self):
    """{"embedding_map": Figure} of the last run; empty before it."""
    from dnajax.evaluators import figures
    if self._seen is None:
      return {}
    points, axes = self._seen
    return {"embedding_map": figures.label_map(points, self._labels, self._names, axes)}


def from_config(spec, context):
  """The evaluator of one entry of config.evals.

  Args:
    spec: options, see DEFAULTS. split, label: of the records; num_labels,
      min_per_label, max_per_label: see `choose_labels`; method: a name in
      projection.METHODS; seed: of the choice and of the picture.
    context: base.Context.

  Returns:
    An `EmbeddingMap`.

  Raises:
    UserError: an option is wrong, a library is absent, or fewer than two
      labels have the wanted number of records.
  """
  chosen = specs.complete(spec, optional=DEFAULTS, wanted=_WANTED)
  projection.check(chosen.method)
  specs.check_library("sklearn")
  data = context.config.data
  source = records.open_split(records.find(data.dir, data.name), chosen.split)
  labels = source.labels(chosen.label)
  wanted = choose_labels(
      labels, num_labels=chosen.num_labels, min_per_label=chosen.min_per_label,
      max_per_label=chosen.max_per_label, seed=chosen.seed)
  if len(wanted) < 2:
    raise errors.UserError(
        f"Split {chosen.split!r} of {data.name} has {len(wanted)} {chosen.label} with at least "
        f"{chosen.min_per_label} and fewer than {chosen.max_per_label} records; two are "
        "needed. Change min_per_label, max_per_label, label or split in config.evals.")
  ids = np.flatnonzero(np.isin(labels, wanted))
  side = labelled.Labelled(chosen.split, ids, source.bases(ids, data.max_length),
                           labels[ids], int((labels < 0).sum()))
  names = source.vocabulary(chosen.label)
  out = EmbeddingMap(
      lambda params: labelled.encode(context, params, side, batch_size=chosen.batch_size),
      side.labels, {int(label): names[label] for label in wanted},
      method=chosen.method, seed=chosen.seed)
  out.task = f"{projection.METHODS[chosen.method][1]} of rare {chosen.label}, {chosen.split}"
  out.protocol = (
      f"{len(wanted)} {chosen.label} chosen at random (seed {chosen.seed}) of those with "
      f"{chosen.min_per_label} to {chosen.max_per_label - 1} records in split {chosen.split}, "
      f"all their records; {projection.METHODS[chosen.method][1]}, library defaults; neighbor "
      "agreement: share of points whose nearest point in the picture has the same label; "
      "silhouette by cosine of the features")
  return out
