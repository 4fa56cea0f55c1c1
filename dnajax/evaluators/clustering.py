"""Zero-shot clustering: do clusters of frozen features agree with labels?

No label is used to make the clusters, only to say how many there are. The
protocol of BarcodeBERT and BarcodeMAE+ ("BIN reconstruction"): UMAP to 50
dimensions, Ward's agglomerative clustering, adjusted mutual information over the
test and the unseen species together.
"""

import dataclasses
import functools
import warnings
from typing import Literal

import numpy as np

from dnajax.evaluators import base, labelled, libraries
from dnajax.shell import errors, metric

SCORES = ("ami", "ari", "v_measure")

# Ward's method holds all distances twice: 40,000 records need 13 GB.
_MOST_RECORDS = 40_000


@dataclasses.dataclass(frozen=True)
class ZeroShotClustering(base.Evaluator):
  """Agreement of clusters of frozen features with the labels."""
  label: str                # any rank of the data set
  features: Literal["encoder", "kmer_counts"] = "encoder"  # counts: frequencies
  splits: tuple[str, ...] = ("test", "unseen")  # clustered together
  k: int = 6                # letters per k-mer of kmer_counts
  reduction: Literal["umap", "none"] = "umap"   # none: the features as they are
  num_dimensions: int = 50  # of UMAP
  n_neighbors: int = 15     # of UMAP; BarcodeBERT's code has 5
  num_clusters: int = 0     # 0: the number of different labels
  seeds: tuple[int, ...] = (42,)  # of UMAP; scores are means over them
  max_records: int = 0      # of each split, the first n of a fixed permutation; 0: all
  batch_size: int = 256     # rows per step of the encoder

  def check(self, setup):
    """What no value may be, whatever the data."""
    del setup
    yield from base.at_least(self, k=1, num_dimensions=1, n_neighbors=2, num_clusters=0,
                             seeds=0, max_records=0, batch_size=1)
    if not self.splits:
      yield "splits", "one split or more"

  @property
  def task(self):
    """The same for all features."""
    return f"{self.label} clustering ({self.reduction}), {' + '.join(self.splits)}"

  @property
  def baseline(self):
    """What answers, if no encoder does."""
    return labelled.baseline(self.features, self.k)

  def asks_untrained(self, evals):
    """If the features are the encoder's."""
    return self.features == "encoder"

  def build(self, context):
    """A `Runner`; UserError also if there are too many or too few records, or a library
    is not installed."""
    libraries.check("sklearn")
    if self.reduction == "umap":
      libraries.check("umap", " Or use reduction='none'.")
    sides = [labelled.read(context, split, self.label, self.max_records)
             for split in self.splits]
    labels = np.concatenate([side.labels for side in sides])
    _check_sizes(self, len(labels), len(np.unique(labels)))

    def rows_of(params):
      return np.concatenate([
          labelled.rows(context, params, side, kind=self.features, k=self.k,
                        batch_size=self.batch_size) for side in sides])

    reduction = None
    if self.reduction == "umap":
      reduction = functools.partial(reduce, num_dimensions=self.num_dimensions,
                                    n_neighbors=self.n_neighbors)
    return Runner(rows_of, labels, num_clusters=self.num_clusters, seeds=self.seeds,
                  reduction=reduction, protocol=_protocol(self, context.length))


def reduce(rows, *, num_dimensions=50, n_neighbors=15, seed=42):
  """UMAP under the cosine metric. [N, D] -> [N, num_dimensions] float32.

  One seed gives one result on one machine with one version of umap-learn; with a
  seed it runs on one thread.
  """
  with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of packages it looks for; a seed means one thread
    import umap
    return umap.UMAP(n_components=num_dimensions, n_neighbors=n_neighbors,
                     metric="cosine", random_state=seed, n_jobs=1).fit_transform(rows)


def cluster(rows, num_clusters):
  """Ward's agglomerative clustering. [N, D] -> [N] cluster numbers.

  Time and memory grow with N²: N² × 8 bytes.
  """
  from sklearn import cluster as sk_cluster
  return sk_cluster.AgglomerativeClustering(
      n_clusters=num_clusters, linkage="ward").fit_predict(rows)


def agreement(labels, clusters):
  """How well clusters and labels agree, whatever their numbers.

  Args:
    labels: [N] integers.
    clusters: [N] integers.

  Returns:
    {"ami": adjusted mutual information, "ari": adjusted Rand index, both 0 on
    average for random clusters, "v_measure": in 0..1}.
  """
  from sklearn import metrics
  return {"ami": float(metrics.adjusted_mutual_info_score(labels, clusters)),
          "ari": float(metrics.adjusted_rand_score(labels, clusters)),
          "v_measure": float(metrics.v_measure_score(labels, clusters))}


class Runner:
  """Agreement of clusters with the labels, over one or several seeds."""

  metrics = SCORES

  def __init__(self, rows_of, labels, *, num_clusters=0, seeds=(42,), reduction=None,
               protocol="zero-shot clustering"):
    """rows_of: params -> [N, D].
    labels: [N] integers.
    num_clusters: 0 for the number of different labels.
    seeds: of `reduction`; one round each.
    reduction: (rows, seed=…) -> [N, d], or None to cluster the features as they
      are, in one round."""
    self._rows_of, self._labels = rows_of, labels
    self._num_labels = len(np.unique(labels))
    self._num_clusters = num_clusters or self._num_labels
    self._reduction = reduction
    self._seeds = seeds if reduction else seeds[:1]
    self.protocol = protocol

  def run(self, params):
    """Yields Metrics: the means over the seeds, and with several also the standard
    deviations (n − 1) as NAME_std. All scores are NaN if a feature is not finite."""
    rows = np.asarray(self._rows_of(params))
    rounds = [dict.fromkeys(SCORES, np.nan)]
    if np.isfinite(rows).all():
      rounds = [agreement(self._labels, self._clusters(rows, seed)) for seed in self._seeds]
    for name in SCORES:
      values = [scores[name] for scores in rounds]
      yield metric.Metric(name, float(np.mean(values)))
      if len(values) > 1:
        yield metric.Metric(f"{name}_std", float(np.std(values, ddof=1)), is_shown=False)
    yield from metric.counts({"num_records": len(self._labels),
                              "num_labels": self._num_labels,
                              "num_clusters": self._num_clusters})

  def _clusters(self, rows, seed):
    if self._reduction is not None:
      rows = self._reduction(rows, seed=seed)
    return cluster(rows, self._num_clusters)


def _check_sizes(spec, num_records, num_labels):
  """Refuses what no library would do well with."""
  if num_records > _MOST_RECORDS:
    raise errors.UserError(
        f"{num_records:,} records in config.evals.*.splits={spec.splits!r}: Ward's "
        f"method holds all their distances, {8 * num_records**2 / 2**30:,.0f} GiB. Set "
        f"max_records so that there are at most {_MOST_RECORDS:,} in all.")
  if num_labels < 2 and not spec.num_clusters:
    raise errors.UserError(
        f"All records have the same {spec.label}: there is nothing to tell apart. Choose "
        "another label or splits in config.evals.")
  if spec.features == "kmer_counts":
    labelled.check_dense(num_records, spec.k)
  most = {"num_clusters": num_records}
  if spec.reduction == "umap":
    most |= {"n_neighbors": num_records - 1, "num_dimensions": num_records - 2}
  for key, number in most.items():
    if getattr(spec, key) > number:
      raise errors.UserError(
          f"config.evals.*.{key}={getattr(spec, key)} must be at most {number} for "
          f"{num_records} records.")


def _protocol(spec, max_length):
  """One sentence that says how the numbers came about."""
  some = f", {spec.max_records:,} records of each at most" if spec.max_records else ""
  how = "features as they are"
  if spec.reduction == "umap":
    seeds = ", ".join(map(str, spec.seeds))
    how = (f"UMAP to {spec.num_dimensions} dimensions (cosine, {spec.n_neighbors} neighbours, "
           f"seed{'s' if len(spec.seeds) > 1 else ''} {seeds})")
  number = (f"{spec.num_clusters:,}" if spec.num_clusters else
            f"as many as there are different {spec.label} labels")
  return (f"{how}, then Ward's agglomerative clustering, clusters: {number}; against "
          f"{spec.label} over split{'s' if len(spec.splits) > 1 else ''} "
          f"{' + '.join(spec.splits)}{some}; features: "
          f"{labelled.describe(spec.features, spec.k, max_length)}")
