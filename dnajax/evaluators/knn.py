"""Nearest neighbours: do labels of one split say the labels of another?

With keys of known species and queries of unseen species this is the genus
1-NN of the BarcodeBERT and BarcodeMAE papers; with several numbers of neighbours
and weighted votes the k-NN of BarcodeMAE+. Two baselines that need no encoder
stand beside it: the most frequent label, and the best hit by alignment.
"""

import dataclasses
import functools
from typing import Literal

import numpy as np

from dnajax.evaluators import base, baselines, labelled, scores, spread
from dnajax.identification import programs
from dnajax.inference import neighbors
from dnajax.shell import errors, metric


@dataclasses.dataclass(frozen=True)
class Knn(base.Evaluator):
  """Labels of queries by their nearest keys; records without the label are left out."""
  key_split: str            # records whose labels are known
  query_split: str          # records that are asked
  label: str                # any rank of the data set
  features: Literal["encoder", "kmer_counts", "majority", "best_hit"] = "encoder"
  k: int = 6                # letters per k-mer of kmer_counts
  square_root: bool = False  # kmer_counts: of the share of each k-mer
  # the mean of the keys is taken away from keys and queries first: a direction that all
  # rows share decides no cosine then (False: the papers' protocol)
  centre: bool = False
  pooling: Literal["mean", "cls"] = "mean"  # encoder: over the tokens, or [CLS]
  frames: int = 1           # encoder: mean over sequences read from bases 0 … frames-1 on
  strand: Literal["forward", "either"] = "forward"  # either: queries of unknown direction
  num_neighbors: tuple[int, ...] = (1,)  # votes per query; one search for all numbers
  vote: Literal["uniform", "distance", "softmax"] = "uniform"  # see neighbors.weights
  temperature: float = 0.02  # of softmax
  ties: Literal["nearest", "lowest_label"] = "nearest"  # lowest_label: as scikit-learn
  leave_one_out: bool = False   # a record is never its own neighbour; one split only
  exclude_shared: bool = False  # leave out queries whose sequence is also a key
  program: Literal["vsearch", "vsearch_default", "megablast", "blastn"] = "vsearch"  # best_hit
  max_keys: int = 0         # the first n of a fixed permutation; 0: all
  max_queries: int = 0      # the same of the queries
  batch_size: int = 256     # rows per step of the encoder

  bar = "accuracy"

  def check(self, setup):
    """What no value may be, whatever the data."""
    if setup.tokenizer is not None and self.pooling not in setup.tokenizer.poolings:
      yield "pooling", "'mean': config.tokens.add_cls=False, there is no [CLS]"
    yield from base.at_least(self, k=1, frames=1, num_neighbors=1, max_keys=0,
                             max_queries=0, batch_size=1)
    if len(set(self.num_neighbors)) < len(self.num_neighbors):
      yield "num_neighbors", "numbers of at least 1, each once"
    if self.temperature <= 0:
      yield "temperature", "above 0"
    if self.square_root and self.features != "kmer_counts":
      yield "square_root", "False unless features='kmer_counts'"
    if self.centre and self.features in ("majority", "best_hit"):
      yield "centre", "False: these baselines have no features"
    if self.exclude_shared and self.leave_one_out:
      yield "exclude_shared", "False with leave_one_out=True"
    if self.leave_one_out and self.key_split != self.query_split:
      yield "leave_one_out", (f"False unless key_split={self.key_split!r} is query_split="
                              f"{self.query_split!r}")

  @property
  def task(self):
    """The same for all features."""
    return (f"{self.label} {self.num_neighbors[0]}-NN{', centred' * self.centre}"
            + ", [CLS]" * (self.pooling == "cls")
            + f", {self.frames} frames" * (self.frames > 1)
            + ", unknown strand" * (self.strand == "either") + ", "
            + (f"{self.query_split}, each left out in turn" if self.leave_one_out
               else f"{self.query_split} → {self.key_split}")
            + ("" if self.vote == "uniform" else f", {self.vote} votes"))

  @property
  def baseline(self):
    """What answers, if no encoder does."""
    if self.features == "best_hit":
      return programs.PROGRAMS[self.program].name
    return labelled.baseline(self.features, self.k, self.square_root)

  def asks_untrained(self, evals):
    """If the features are the encoder's."""
    return self.features == "encoder"

  def build(self, context):
    """A `Runner` or a `baselines.Runner`; UserError also if there are too few keys."""
    keys = labelled.read(context, self.key_split, self.label, self.max_keys)
    queries = labelled.read(context, self.query_split, self.label, self.max_queries)
    own = labelled.own_keys(queries, keys) if self.leave_one_out else None
    counts = {"num_unlabelled_queries": queries.num_unlabelled,
              "num_unlabelled_keys": keys.num_unlabelled}
    if self.strand == "either":
      queries, counts["num_turned"] = labelled.turn(queries, keys)
    protocol = _protocol(self, context.length)
    if own is None:
      queries, counts["num_shared"] = labelled.split_shared(
          queries, keys, exclude=self.exclude_shared)
      protocol += labelled.shared_in_words(counts["num_shared"], "queries", "key")
    shared = dict(own=own, counts=counts, protocol=protocol)
    if self.features in ("majority", "best_hit"):
      predict = (functools.partial(baselines.majority, keys.labels, len(queries.labels))
                 if self.features == "majority" else
                 functools.partial(baselines.by_best_hit, keys, queries, self.program, own))
      return baselines.Runner(predict, keys.labels, queries.labels, **shared)
    num_others = len(keys.labels) - self.leave_one_out
    if max(self.num_neighbors) > num_others:
      raise errors.UserError(
          f"config.evals.*.num_neighbors={self.num_neighbors!r} must be at most "
          f"{num_others}, the other records of split {self.key_split!r} that have a "
          f"{self.label}.")
    embed = labelled.searched(context, self, pooling=self.pooling)
    return Runner(lambda params: embed(params, keys), lambda params: embed(params, queries),
                  keys.labels, queries.labels, num_neighbors=self.num_neighbors,
                  vote=self.vote, temperature=self.temperature, ties=self.ties,
                  centre=self.centre, has_params=self.features == "encoder", **shared)


class Runner:
  """Labels of the queries, voted by their nearest keys."""

  def __init__(self, key_features, query_features, key_labels, query_labels, *,
               num_neighbors=(1,), vote="uniform", temperature=0.02, ties="nearest",
               own=None, centre=False, has_params=True, counts=None,
               protocol="cosine nearest neighbours"):
    """key_features, query_features: params -> [N, D] rows of all records.
    key_labels, query_labels: [N] and [Q] int32, no -1 among them.
    num_neighbors: votes per query. The metrics of all but the first number carry it:
      accuracy, accuracy_k5, ….
    vote, temperature, ties: see `neighbors.weights` and `neighbors.vote`.
    own: [Q] index of the key that is the query itself, see `neighbors.nearest`.
    centre: whether the mean of the keys is taken away first.
    has_params: whether features depend on params; only then is it asked
      whether they have collapsed.
    counts: further numbers of records, reported as they are."""
    self._key_features, self._query_features = key_features, query_features
    self._key_labels, self._query_labels = key_labels, query_labels
    self._num_neighbors = num_neighbors
    self._vote, self._temperature, self._ties = vote, temperature, ties
    self._own, self._counts, self._has_params = own, counts or {}, has_params
    self._centre = centre
    self._accuracies = {}  # of the last run, by number of neighbours
    self.is_right = None   # [Q] bool of the last run, first number of neighbours
    self.protocol = protocol
    self.metrics = [f"{name}{self._suffix(n)}" for n in num_neighbors
                    for name in scores.CLASSIFICATION]
    if has_params:
      self.metrics += ["whitened_accuracy", "mean_cosine", "effective_rank"]

  def run(self, params):
    """Yields Metrics; scores are NaN if a feature is not finite."""
    queries, keys = self._query_features(params), self._key_features(params)
    self._accuracies, self.is_right = {}, None
    is_finite = not self._has_params or bool(
        np.isfinite(queries).all() and np.isfinite(keys).all())
    if self._centre and is_finite:
      queries, keys = neighbors.centred(queries, keys)
    predictions = (self._predict(keys, queries, self._num_neighbors) if is_finite
                   else ((n, None) for n in self._num_neighbors))
    for n, predicted in predictions:
      found = scores.classification(self._query_labels, predicted)
      if predicted is not None:
        self._accuracies[n] = tuple(one.value for one in found[:2])
        if self.is_right is None:
          self.is_right = predicted == self._query_labels
      yield from (dataclasses.replace(one, name=one.name + self._suffix(n))
                  for one in found)
    if self._has_params:
      yield from self._spread(keys, queries, is_finite)
    yield from baselines.record_counts(self._query_labels, self._key_labels, self._own)
    yield from metric.counts(self._counts)

  def _spread(self, keys, queries, is_finite):
    """Metrics of how the features lie in their space."""
    if not is_finite:
      return [*metric.shares({"whitened_accuracy": np.nan}),
              *(metric.Metric(name, np.nan) for name in ("mean_cosine", "effective_rank"))]
    (_, predicted), = self._predict(*spread.whiten(keys, queries), self._num_neighbors[:1])
    return [*metric.shares({"whitened_accuracy":
                            scores.accuracy(self._query_labels, predicted)}),
            *spread.collapse(queries)]

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


def _protocol(spec, max_length):
  """One sentence that says how the numbers came about."""
  some = "".join(f", {most:,} {side} at most" for side, most in
                 (("keys", spec.max_keys), ("queries", spec.max_queries)) if most)
  asked = (f"{spec.label} of split {spec.query_split} (queries) from split "
           f"{spec.key_split} (keys){some}")
  if spec.exclude_shared:
    asked += ", without queries whose sequence is also a key"
  if spec.strand == "either":
    asked += ", queries turned where the 4-mers of the other strand are likelier in the keys"
  if spec.leave_one_out:
    asked += ", a record never its own neighbour"
  unknown = "labels absent from the keys count as wrong"
  if spec.features == "majority":
    return f"the most frequent label of the keys for every query; {asked}; {unknown}"
  if spec.features == "best_hit":
    how = programs.PROGRAMS[spec.program].how
    return (f"label of the best hit ({how}, plus strand); {asked}; first {max_length} bp; "
            f"queries without a hit and {unknown}")
  votes = {"uniform": "", "distance": ", votes weighted by 1 / cosine distance",
           "softmax": f", votes weighted by exp(cosine / {spec.temperature:g})"}[spec.vote]
  if max(spec.num_neighbors) > 1:
    votes += (", ties to the nearest" if spec.ties == "nearest" else
              ", ties to the lowest label")
  rows = (labelled.describe("encoder", spec.k, max_length, spec.frames, spec.pooling)
          if spec.features == "encoder" else
          f"{'square roots of the shares' if spec.square_root else 'counts'} of all "
          f"overlapping {spec.k}-mers, first {max_length} bp")
  numbers = ", ".join(map(str, spec.num_neighbors))
  return (f"cosine {numbers}-NN{votes}, {asked}; features: {rows}, "
          + ("less the mean of the keys" if spec.centre else "not normalised")
          + f"; {unknown}" + f"; {spread.PROTOCOL}" * (spec.features == "encoder"))
