"""Cross-entropy of the labels of a sequence, at one rank or several."""

import dataclasses
from typing import Literal

import jax.numpy as jnp
from flax.core import FrozenDict

from dnajax.models import label_heads
from dnajax.shell import metric
from dnajax.training.losses import base, smoothing


@dataclasses.dataclass(frozen=True, kw_only=True)
class CrossEntropy(base.PooledLoss):
  """A head for each rank that says its label; a label that is not known does not count.

  The mean is over the known labels of a batch: over the ranks too, each alike where all
  are known (MycoAI, BarcodeMamba+). head="cosine" with a margin is CosFace (Wang et al.
  2018, equation 4). Evaluations have neither smoothing nor margin.
  """
  ranks: tuple[str, ...]        # columns of labels, the finest first, as ("genus", "family")
  head: Literal["linear", "norm_linear", "cosine"] = "linear"  # see models.label_heads
  head_dropout: float = 0.1     # before the map to the labels
  scale: float = 16.0           # of the cosines: head="cosine"
  margin: float = 0.0           # taken from the cosine of the right label: head="cosine"
  label_smoothing: float = 0.0  # share of the probability that is divided among the labels
  # divided only among labels with the same parent, which is the label at the next of
  # `ranks`; at the last one, and for a label without a parent, among all
  smoothing_along_taxonomy: bool = False

  name = "cross_entropy"
  predicts = "labels"

  @property
  def labels(self):
    """Columns of labels that it reads."""
    return self.ranks

  def check(self, setup):
    """Ranks, rates, and keys that have an effect."""
    yield from super().check(setup)
    if not self.ranks or len(set(self.ranks)) < len(self.ranks):
      yield "ranks", "at least one column of labels, each once"
    if not 0 <= self.head_dropout < 1:
      yield "head_dropout", "at least 0 and below 1"
    if not self.scale > 0:
      yield "scale", "above 0"
    if not 0 <= self.margin < 2:
      yield "margin", "at least 0 and below 2, what cosines can differ by"
    if self.margin and self.head != "cosine":
      yield "margin", "0 unless head='cosine'"
    if not 0 <= self.label_smoothing < 1:
      yield "label_smoothing", "at least 0 and below 1"
    if self.smoothing_along_taxonomy and not (self.label_smoothing and len(self.ranks) > 1):
      yield "smoothing_along_taxonomy", (
          "False unless label_smoothing is above 0 and ranks has the rank of the parents "
          "too, as ('genus', 'family')")

  def module(self, num_labels):
    """`label_heads.LabelHeads`."""
    return label_heads.LabelHeads(
        FrozenDict({rank: num_labels[rank] for rank in self.ranks}), self.pooling,
        self.head_dropout, self.head, self.scale)

  def bind(self, split):
    """With the parents that the records of the split give each label, where they count."""
    if not self.smoothing_along_taxonomy:
      return self
    found = {
        rank: smoothing.parents(split.labels(rank), split.labels(above),
                                len(split.vocabulary(rank)))
        for rank, above in zip(self.ranks, self.ranks[1:], strict=False)}
    return _AlongTaxonomy(**vars(self), parents=found)

  def count(self, inputs):
    """Known labels of a batch."""
    return sum((inputs.labels[rank] >= 0).sum() for rank in self.ranks)

  def sums(self, outputs, inputs, name, *, is_training):
    """loss (nats), weight (known labels); known_RANK, correct_RANK (told rightly)."""
    found = {"loss": jnp.zeros(()), "weight": jnp.zeros(())}
    for rank in self.ranks:
      labels, logits = inputs.labels[rank], outputs.labels[name][rank]  # [B], [B, C]
      is_known, is_right = labels >= 0, logits.argmax(axis=1) == labels
      nats = (self._training_nats if is_training else self._nats)(
          rank, logits, labels.clip(0))
      known = is_known.sum().astype(jnp.float32)
      found["loss"] += jnp.sum(nats, where=is_known)
      found["weight"] += known
      found[f"known_{rank}"] = known
      found[f"correct_{rank}"] = jnp.sum(is_right, where=is_known).astype(jnp.float32)
    return found

  def metrics(self, sums):
    """loss (nats per label), num_labelled; accuracy at the first rank, RANK_accuracy at
    the others; NaN without a label."""
    accuracies = metric.shares({
        f"{rank}_accuracy" if n else "accuracy": base.mean(
            {"sum": sums[f"correct_{rank}"], "weight": sums[f"known_{rank}"]}, "sum")
        for n, rank in enumerate(self.ranks)})
    return [metric.Metric("loss", base.mean(sums, "loss"), "nats"), *accuracies,
            metric.Metric("num_labelled", sums["weight"], "count", False)]

  def _nats(self, rank, logits, labels):
    del rank
    return smoothing.cross_entropy(logits, labels)

  def _training_nats(self, rank, logits, labels):
    if self.margin:
      is_right = labels[:, None] == jnp.arange(logits.shape[1])
      logits -= self.scale * self.margin * is_right
    return smoothing.cross_entropy(logits, labels, share=self.label_smoothing,
                                   is_sibling=self._siblings(rank, labels))

  def _siblings(self, rank, labels):
    del rank, labels


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _AlongTaxonomy(CrossEntropy):
  """Bound to the parents of the labels."""
  parents: dict  # {rank: [C] int32, see smoothing.parents}; not the last rank

  def _siblings(self, rank, labels):
    if rank in self.parents:
      return smoothing.siblings(jnp.asarray(self.parents[rank]), labels)
    return None
