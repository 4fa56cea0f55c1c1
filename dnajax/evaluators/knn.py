"""Nearest neighbours: do labels of one split say the labels of another?

With keys of known species and queries of unseen species this is the genus
1-NN of the BarcodeBERT and BarcodeMAE papers; with several numbers of neighbours
and weighted votes the k-NN of BarcodeMAE+. Two baselines that need no encoder
stand beside it: the most frequent label, and the best hit by alignment.
"""

import functools

import numpy as np

from dnajax import errors
from dnajax.evaluators import (
    baselines,
    best_hit,
    features,
    labelled,
    neighbors,
    scores,
    specs,
    spread,
)

FEATURES = ("encoder", "kmer_counts", "majority", "best_hit")

_REQUIRED = ("key_split", "query_split", "label", "features")
_OPTIONAL = dict(
    k=6, num_neighbors=(1,), vote="uniform", temperature=0.02, ties="nearest",
    leave_one_out=False, exclude_shared=False, program="vsearch",
    max_keys=0, max_queries=0, batch_size=256)


class Knn:
  """Labels of the queries, voted by their nearest keys."""

  def __init__(self, key_features, query_features, key_labels, query_labels, *,
               num_neighbors=1, vote="uniform", temperature=0.02, ties="nearest",
               own=None, has_params=True):
    """key_features, query_features: params -> [N, D] rows of all records.
    key_labels, query_labels: [N] and [Q] int32, no -1 among them.
    num_neighbors: votes per query, an int or a tuple of them; the neighbours
      are searched once. The metrics of all but the first carry the number:
      accuracy, accuracy_k5, ….
    vote, temperature, ties: see `neighbors.weights` and `neighbors.vote`.
    own: [Q] index of the key that is the query itself, see `neighbors.nearest`.
    has_params: whether features depend on params; only then is it asked
      whether they have collapsed."""
    self._key_features = key_features
    self._query_features = query_features
    self._key_labels = key_labels
    self._query_labels = query_labels
    self._num_neighbors = ((num_neighbors,) if isinstance(num_neighbors, int)
                           else tuple(num_neighbors))
    self._vote, self._temperature, self._ties = vote, temperature, ties
    self._own = own
    self._accuracies = {}  # of the last run, by number of neighbours
    self.has_params = has_params
    self.is_right = None   # [Q] bool of the last run, first number of neighbours
    self.counts = {}       # further numbers of records, reported as they are
    self.metrics = tuple(f"{name}{self._suffix(n)}" for n in self._num_neighbors
                         for name in scores.CLASSIFICATION)
    if has_params:
      self.metrics += ("mean_cosine", "effective_rank", "whitened_accuracy")
    self.protocol = f"cosine {self._num_neighbors[0]}-NN"

  def run(self, params):
    """Yields (metric name, value); all NaN if a feature is not finite."""
    queries = self._query_features(params)
    keys = self._key_features(params)
    self._accuracies, self.is_right = {}, None
    if self.has_params and not (np.isfinite(queries).all() and np.isfinite(keys).all()):
      yield from ((name, float("nan")) for name in self.metrics)
      return
    for n, predicted in self._predict(keys, queries, self._num_neighbors):
      if self.is_right is None:
        self.is_right = predicted == self._query_labels
      values = dict(scores.classification(self._query_labels, predicted))
      self._accuracies[n] = values["accuracy"], values["macro_accuracy"]
      yield from ((name + self._suffix(n), value) for name, value in values.items())
    yield from baselines.record_counts(self._query_labels, self._key_labels, self._own)
    yield from self.counts.items()
    if self.has_params:
      yield from spread.collapse(queries)
      (_, predicted), = self._predict(*spread.whiten(keys, queries),
                                      self._num_neighbors[:1])
      yield "whitened_accuracy", scores.accuracy(self._query_labels, predicted)

  def figures(self):
    """{"num_neighbors": accuracy over the numbers of neighbours}, if several."""
    from dnajax.evaluators import figures
    if len(self._accuracies) < 2:
      return {}
    return {"num_neighbors": figures.accuracy_curve(self._accuracies)}

  def _predict(self, keys, queries, num_neighbors):
    """Yields (n, predicted [Q]) for each number of neighbours n."""
    ids, cosines = neighbors.nearest(queries, keys, max(num_neighbors), own=self._own)
    labels = self._key_labels[ids]
    for n in num_neighbors:
      weights = neighbors.weights(cosines[:, :n], self._vote, temperature=self._temperature)
      yield n, neighbors.vote(labels[:, :n], weights, ties=self._ties)

  def _suffix(self, num_neighbors):
    return "" if num_neighbors == self._num_neighbors[0] else f"_k{num_neighbors}"


def from_config(spec, context):
  """The evaluator of one entry of config.evals.

  Records without the label (-1) are left out on both sides and counted. With
  `max_keys` or `max_queries` the first n of a fixed permutation of the labelled
  records are used, the same in every run.

  Args:
    spec: has key_split, query_split, label (any rank of the data set), features
      ("encoder", "kmer_counts", "majority" or "best_hit"), and may have
      k: letters per k-mer of "kmer_counts" (6);
      num_neighbors: an int or a tuple of ints, see `Knn` (1);
      vote: "uniform", "distance" or "softmax" with temperature (.02);
      ties: "nearest", or "lowest_label" as in scikit-learn;
      leave_one_out: whether a record is never its own neighbour; key_split and
        query_split are the same then (False);
      exclude_shared: whether queries whose sequence is also a key are left out;
        counted either way, as num_shared (False);
      program: of "best_hit", "vsearch" or "blastn" ("vsearch");
      max_keys, max_queries: 0 for all (0);
      batch_size: rows per step of the encoder (256).
    context: a `base.Context`.

  Returns:
    A `Knn` or a `baselines.Baseline`.

  Raises:
    UserError: a key, a split or a label is wrong, or there are too few keys.
  """
  spec = _checked(spec)
  keys = labelled.read(context, spec.key_split, spec.label, spec.max_keys)
  queries = labelled.read(context, spec.query_split, spec.label, spec.max_queries)
  own = labelled.own_keys(queries, keys) if spec.leave_one_out else None
  counts = {"num_unlabelled_queries": queries.num_unlabelled,
            "num_unlabelled_keys": keys.num_unlabelled}
  if own is None:
    queries, counts["num_shared"] = labelled.split_shared(
        queries, keys, exclude=spec.exclude_shared)
  protocol = _protocol(spec, context.config.data.max_length)
  if spec.features in ("majority", "best_hit"):
    predict = (functools.partial(baselines.majority, keys.labels, len(queries.labels))
               if spec.features == "majority" else
               functools.partial(baselines.by_best_hit, keys, queries, spec.program, own))
    out = baselines.Baseline(predict, keys.labels, queries.labels, own=own,
                             protocol=protocol)
  else:
    num_others = len(keys.labels) - spec.leave_one_out
    specs.check("num_neighbors", max(spec.num_neighbors),
                max(spec.num_neighbors) <= num_others,
                f"at most {num_others}, the other records of split {spec.key_split!r} "
                f"that have a {spec.label}")
    if spec.features == "encoder":
      embed = functools.partial(labelled.encode, context, batch_size=spec.batch_size)
    else:
      embed = lambda params, side: features.KmerCounts(side.bases, spec.k)
    out = Knn(lambda params: embed(params, keys),
              lambda params: embed(params, queries),
              keys.labels, queries.labels, num_neighbors=spec.num_neighbors,
              vote=spec.vote, temperature=spec.temperature, ties=spec.ties, own=own,
              has_params=spec.features == "encoder")
    out.protocol = protocol
  out.counts = counts
  return out


def _checked(spec):
  """The entry with all its keys, each of them possible."""
  spec = specs.complete(spec, required=_REQUIRED, optional=_OPTIONAL)
  if spec.features not in FEATURES:
    raise errors.UserError(
        f"Unknown config.evals.*.features={spec.features!r}. "
        f"Known: {', '.join(FEATURES)}.")
  specs.check_choice("vote", spec.vote, neighbors.VOTES)
  specs.check_choice("ties", spec.ties, neighbors.TIES)
  specs.check_choice("program", spec.program, best_hit.PROGRAMS)
  specs.check("temperature", spec.temperature, spec.temperature > 0, "above 0")
  specs.check("num_neighbors", spec.num_neighbors, min(spec.num_neighbors) >= 1
              and len(set(spec.num_neighbors)) == len(spec.num_neighbors),
              "at least 1, each number once")
  specs.check("exclude_shared", spec.exclude_shared,
              not (spec.exclude_shared and spec.leave_one_out),
              "False with leave_one_out=True")
  specs.check("leave_one_out", spec.leave_one_out,
              not spec.leave_one_out or spec.key_split == spec.query_split,
              f"False unless key_split={spec.key_split!r} is query_split="
              f"{spec.query_split!r}")
  return spec


def _protocol(spec, max_length):
  """One sentence that says how the numbers came about."""
  some = "".join(f", {most:,} {side} at most" for side, most in
                 (("keys", spec.max_keys), ("queries", spec.max_queries)) if most)
  asked = (f"{spec.label} of split {spec.query_split} (queries) from split "
           f"{spec.key_split} (keys){some}")
  if spec.exclude_shared:
    asked += ", without queries whose sequence is also a key"
  if spec.leave_one_out:
    asked += ", a record never its own neighbour"
  unknown = "labels absent from the keys count as wrong"
  if spec.features == "majority":
    return f"the most frequent label of the keys for every query; {asked}; {unknown}"
  if spec.features == "best_hit":
    how = {"vsearch": "VSEARCH, global alignment with the 8 keys sharing most k-mers, "
                      "identity at least .5",
           "blastn": "BLAST+ megablast"}[spec.program]
    return (f"label of the best hit ({how}, plus strand); {asked}; first {max_length} bp; "
            f"queries without a hit and {unknown}")
  votes = {"uniform": "", "distance": ", votes weighted by 1 / cosine distance",
           "softmax": f", votes weighted by exp(cosine / {spec.temperature:g})"}[spec.vote]
  if max(spec.num_neighbors) > 1:
    votes += (", ties to the nearest" if spec.ties == "nearest" else
              ", ties to the lowest label")
  rows = ("mean over the attended positions of the last encoder layer, frame 0, "
          "nothing masked" if spec.features == "encoder" else
          f"counts of all overlapping {spec.k}-mers")
  numbers = ", ".join(map(str, spec.num_neighbors))
  return (f"cosine {numbers}-NN{votes}, {asked}; features: {rows}, not "
          f"normalised, first {max_length} bp; {unknown}")
