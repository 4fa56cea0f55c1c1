"""Zero-shot clustering: do clusters of frozen features agree with labels?

No label is used to make the clusters, only to say how many there are. The
protocol of BarcodeBERT and BarcodeMAE+ ("BIN reconstruction"): UMAP to 50
dimensions, Ward's agglomerative clustering, adjusted mutual information over the
test and the unseen species together.
"""

import functools
import warnings

import numpy as np

from dnajax import errors
from dnajax.evaluators import labelled, specs

FEATURES = ("encoder", "kmer_counts")
REDUCTIONS = ("umap", "none")
SCORES = ("ami", "ari", "v_measure")

_REQUIRED = ("label", "features")
_OPTIONAL = dict(
    splits=("test", "unseen"), k=6, reduction="umap", num_dimensions=50, n_neighbors=15,
    num_clusters=0, seeds=(42,), max_records=0, batch_size=256)

# Ward's method holds all distances twice: 40,000 records need 13 GB.
_MOST_RECORDS = 40_000


def reduce(rows, *, num_dimensions=50, n_neighbors=15, seed=42):
  """UMAP under the cosine metric. [N, D] -> [N, num_dimensions] float32.

  One seed gives one result on one machine with one version of umap-learn; with a
  seed it runs on one thread.
  """
  specs.check_library("umap", " Or use reduction='none'.")
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

  Yields:
    ("ami", adjusted mutual information), ("ari", adjusted Rand index), both 0 on
    average for random clusters, ("v_measure", in 0..1).
  """
  from sklearn import metrics
  yield "ami", float(metrics.adjusted_mutual_info_score(labels, clusters))
  yield "ari", float(metrics.adjusted_rand_score(labels, clusters))
  yield "v_measure", float(metrics.v_measure_score(labels, clusters))


class ZeroShotClustering:
  """Agreement of clusters with the labels, over one or several seeds."""

  def __init__(self, rows_of, labels, *, num_clusters=0, seeds=(42,), reduction=None,
               has_params=True, protocol="zero-shot clustering"):
    """rows_of: params -> [N, D].
    labels: [N] integers.
    num_clusters: 0 for the number of different labels.
    seeds: of `reduction`; one round each.
    reduction: (rows, seed=…) -> [N, d], or None to cluster the features as they
      are, in one round.
    has_params: whether features depend on params."""
    self._rows_of, self._labels = rows_of, labels
    self._num_labels = len(np.unique(labels))
    self._num_clusters = num_clusters or self._num_labels
    self._reduction = reduction
    self._seeds = seeds if reduction else seeds[:1]
    self.has_params, self.protocol = has_params, protocol
    self.metrics = SCORES

  def run(self, params):
    """Yields (metric name, value): the mean over the seeds, and with several also
    the standard deviation (n − 1) as NAME_std. All scores are NaN if a feature is
    not finite."""
    rows = np.asarray(self._rows_of(params))
    if np.isfinite(rows).all():
      rounds = [dict(agreement(self._labels, self._clusters(rows, seed)))
                for seed in self._seeds]
      for name in SCORES:
        values = [scores[name] for scores in rounds]
        yield name, float(np.mean(values))
        if len(values) > 1:
          yield f"{name}_std", float(np.std(values, ddof=1))
    else:
      yield from ((name, float("nan")) for name in SCORES)
    yield "num_records", len(self._labels)
    yield "num_labels", self._num_labels
    yield "num_clusters", self._num_clusters

  def _clusters(self, rows, seed):
    if self._reduction is not None:
      rows = self._reduction(rows, seed=seed)
    return cluster(rows, self._num_clusters)


def from_config(spec, context):
  """The evaluator of one entry of config.evals.

  Args:
    spec: has label (any rank) and features ("encoder", or "kmer_counts":
      frequencies), and may have
      splits: a split or a tuple of splits, clustered together ("test", "unseen");
      k: letters per k-mer (6);
      reduction: "umap" to num_dimensions (50) with n_neighbors (15; BarcodeBERT's
        code has 5), or "none";
      num_clusters: 0 for the number of different labels (0);
      seeds: of UMAP; scores are means over them (42);
      max_records: of each split at most, 0 for all (0);
      batch_size: rows per step of the encoder (256).
    context: a `base.Context`.

  Returns:
    A `ZeroShotClustering`.

  Raises:
    UserError: a key, a split or a label is wrong, there are too many or too few
      records, or a library is not installed.
  """
  spec = specs.complete(spec, required=_REQUIRED, optional=_OPTIONAL)
  specs.check_choice("features", spec.features, FEATURES)
  specs.check_choice("reduction", spec.reduction, REDUCTIONS)
  specs.check_library("sklearn")
  if spec.reduction == "umap":
    specs.check_library("umap", " Or use reduction='none'.")
  sides = [labelled.read(context, split, spec.label, spec.max_records)
           for split in spec.splits]
  labels = np.concatenate([side.labels for side in sides])
  _check_sizes(spec, len(labels), len(np.unique(labels)))

  def rows_of(params):
    return np.concatenate([
        labelled.rows(context, params, side, kind=spec.features, k=spec.k,
                      batch_size=spec.batch_size) for side in sides])

  reduction = None
  if spec.reduction == "umap":
    reduction = functools.partial(reduce, num_dimensions=spec.num_dimensions,
                                  n_neighbors=spec.n_neighbors)
  return ZeroShotClustering(
      rows_of, labels, num_clusters=spec.num_clusters, seeds=spec.seeds,
      reduction=reduction, has_params=spec.features == "encoder",
      protocol=_protocol(spec, context.config.data.max_length))


def _check_sizes(spec, num_records, num_labels):
  """Refuses what no library would do well with."""
  if num_records > _MOST_RECORDS:
    raise errors.UserError(
        f"{num_records:,} records in config.evals.*.splits={spec.splits!r}: Ward's "
        f"method holds all their distances, {8 * num_records**2 / 2**30:,.0f} GiB. Set "
        f"max_records so that there are at most {_MOST_RECORDS:,} in all.")
  specs.check("num_clusters", spec.num_clusters, 0 <= spec.num_clusters <= num_records,
              f"at most the number of records, {num_records}")
  if num_labels < 2 and not spec.num_clusters:
    raise errors.UserError(
        f"All records have the same {spec.label}: there is nothing to tell apart. Choose "
        "another label or splits in config.evals.")
  if spec.features == "kmer_counts":
    labelled.check_dense(num_records, spec.k)
  if spec.reduction == "umap":
    specs.check("n_neighbors", spec.n_neighbors, 2 <= spec.n_neighbors < num_records,
                f"at least 2 and below the number of records, {num_records}")
    specs.check("num_dimensions", spec.num_dimensions,
                1 <= spec.num_dimensions < num_records - 1,
                f"at least 1 and below the number of records less 1, {num_records - 1}")


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
