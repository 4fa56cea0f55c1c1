"""Genus accuracy by the length of the query: what an encoder is worth for short reads.

The keys are always complete; of every query a window is cut out, as in a mini-barcode or
a read of degraded DNA.
"""

import dataclasses
from typing import Literal

import numpy as np

from dnajax.evaluators import base, labelled
from dnajax.inference import neighbors
from dnajax.shell import metric
from dnajax.tokens import bases as base_codes

WHOLE = 0   # the length that stands for whole queries


@dataclasses.dataclass(frozen=True)
class CropCurve(base.Evaluator):
  """Accuracy of 1-NN for each length of the queries."""
  key_split: str = "train"     # as of knn; keys are complete
  query_split: str = "unseen"  # of its records windows are cut out
  label: str = "genus"         # any rank of the data set
  lengths: tuple[int, ...] = (100, 150, 200, 300, 400, WHOLE)  # base pairs; 0: whole
  features: Literal["encoder", "kmer_counts"] = "encoder"
  k: int = 6                   # letters per k-mer of kmer_counts
  square_root: bool = False    # kmer_counts: of the share of each k-mer
  centre: bool = True          # the mean of the keys is taken away before the cosine
  frames: int = 1              # encoder: mean over what is read from bases 0 … frames-1 on
  reference: str = ""          # name of an entry of kmer_counts that is drawn beside it
  seed: int = 0                # of the windows, not that of the run
  max_keys: int = 0            # the first n of a fixed permutation; 0: all
  max_queries: int = 0         # the same of the queries
  batch_size: int = 256        # rows per step of the encoder

  def check(self, setup):
    """What no value may be, whatever the data."""
    yield from base.at_least(self, k=1, frames=1, seed=0, max_keys=0, max_queries=0,
                             batch_size=1)
    cut = [length for length in self.lengths if length != WHOLE]
    if (not self.lengths or min(self.lengths) < 0 or cut != sorted(set(cut))
        or WHOLE in self.lengths[:-1]):
      yield "lengths", "increasing numbers of base pairs; the last may be 0, whole queries"
    if self.square_root and self.features != "kmer_counts":
      yield "square_root", "False unless features='kmer_counts'"
    if self.reference and setup.evals is not None:
      other = setup.evals.get(self.reference)
      if not isinstance(other, CropCurve) or other.features != "kmer_counts":
        yield "reference", ("'' or the name of another entry of config.evals, a crop_curve "
                            "with features='kmer_counts'")

  @property
  def task(self):
    """The same for all features."""
    return (f"{self.label} 1-NN by length of the query" + ", centred" * self.centre
            + f", {self.frames} frames" * (self.frames > 1)
            + f", {self.query_split} → {self.key_split}")

  @property
  def baseline(self):
    """What answers, if no encoder does."""
    return labelled.baseline(self.features, self.k, self.square_root)

  @property
  def others(self):
    """The reference."""
    return (self.reference,) if self.reference else ()

  def asks_untrained(self, evals):
    """If the features are the encoder's."""
    return self.features == "encoder"

  def build(self, context):
    """A `Runner`."""
    keys = labelled.read(context, self.key_split, self.label, self.max_keys)
    queries = labelled.read(context, self.query_split, self.label, self.max_queries)
    reference = context.evals[self.reference].build(context) if self.reference else None
    rows = labelled.describe(self.features, self.k, context.length, self.frames)
    return Runner(
        labelled.searched(context, self), keys, queries, lengths=self.lengths,
        seed=self.seed, centre=self.centre,
        name=self.baseline or "encoder", reference=reference, protocol=(
            f"cosine 1-NN, {self.label} of split {self.query_split} (queries) from split "
            f"{self.key_split} (keys); keys complete; of each query one window of the length, "
            "at the same place at every evaluation, whole where the query is shorter; "
            f"features: {'square roots of ' * self.square_root}{rows}"
            + ", less the mean of the keys" * self.centre))


def crop(bases, length, places):
  """A window of each row.

  Args:
    bases: [B, bp] uint8 base codes, padding at the right.
    length: base pairs of a window; shorter rows, and all if it is 0, stay whole.
    places: [B] numbers in [0, 1): where among all windows of the row.

  Returns:
    [B, bp] uint8, padding at the right.
  """
  if length == WHOLE:
    return bases
  num_bases = (bases != base_codes.PAD).sum(axis=1)
  first = np.floor(places * (np.maximum(num_bases - length, 0) + 1)).astype(int)   # [B]
  columns = np.arange(bases.shape[1])
  padded = np.pad(bases, ((0, 0), (0, bases.shape[1])), constant_values=base_codes.PAD)
  moved = np.take_along_axis(padded, first[:, None] + columns, axis=1)
  return np.where(columns < length, moved, base_codes.PAD).astype(np.uint8)


def draw_places(seed, ids):
  """One number in [0, 1) for each record, always the same one: [B] float64.

  Args:
    seed: int.
    ids: [B] record numbers; a record's number depends on nothing else.
  """
  return np.array([np.random.default_rng((seed, n)).random() for n in ids])


class Runner:
  """Accuracy of 1-NN for each length of the queries."""

  def __init__(self, embed, keys, queries, *, lengths, seed=0, centre=True, name="encoder",
               reference=None, protocol="cosine 1-NN; queries are cut"):
    """embed: (params, Labelled) -> [N, D] rows, see `neighbors.nearest`.
    keys, queries: Labelled.
    lengths, seed, centre: see `CropCurve`.
    name: of the features, in the figure.
    reference: a Runner that needs no parameters and is drawn, too; None for none."""
    self._embed, self._keys, self._queries = embed, keys, queries
    self._lengths, self._centre, self.protocol = lengths, centre, protocol
    self._name, self._reference = name, reference
    self._places = draw_places(seed, queries.ids)
    self._curve = {}

  def run(self, params):
    """Yields Metrics; NaN where a feature is not finite."""
    keys = self._embed(params, self._keys)
    self._curve = {length: self._accuracy(params, keys, length) for length in self._lengths}
    yield from metric.shares({f"accuracy_{length or 'whole'}": value
                              for length, value in self._curve.items()})
    yield from metric.counts({"num_queries": len(self._queries.labels),
                              "num_keys": len(self._keys.labels)})

  def _accuracy(self, params, keys, length):
    rows = self._embed(params, dataclasses.replace(
        self._queries, bases=crop(self._queries.bases, length, self._places)))
    if isinstance(rows, np.ndarray) and not (np.isfinite(rows).all()
                                             and np.isfinite(keys).all()):
      return float("nan")
    if self._centre:
      rows, keys = neighbors.centred(rows, keys)
    ids, _ = neighbors.nearest(rows, keys, 1)
    return float((self._keys.labels[ids[:, 0]] == self._queries.labels).mean())

  def figures(self):
    """{"crop_curve": Figure} of the last run and of the reference; empty before it."""
    from dnajax.evaluators import figures
    if not self._curve:
      return {}
    curves = {self._name: self._curve}
    if self._reference is not None:
      curves |= self._reference.curve()
    longest = int((self._queries.bases != base_codes.PAD).sum(axis=1).max())
    return {"crop_curve": figures.accuracy_by_length(curves, longest)}

  def curve(self):
    """{name: {length: accuracy}} of a runner without parameters; runs at the first call."""
    if not self._curve:
      list(self.run(None))
    return {self._name: self._curve}
