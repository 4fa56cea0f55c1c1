"""Cross-entropy of one label per sequence."""

import dataclasses
import functools
from typing import Literal

import jax.numpy as jnp

from dnajax.models import heads
from dnajax.shell import metric
from dnajax.training.losses import token_prediction


@dataclasses.dataclass(frozen=True)
class CrossEntropy:
  """A head that says a label; sequences without that label do not count."""
  label: str                             # column of the data set, as "genus"
  weight: float = 1.0                    # of its mean in the total loss
  pooling: Literal["mean", "cls"] = "mean"  # features: mean over the tokens seen, or [CLS]
  head_dropout: float = 0.1              # before the map to the labels

  scores_visible = False

  @property
  def labels(self):
    """Columns of labels that it reads."""
    return (self.label,)

  def check(self, setup):
    """A rate, and a [CLS] where its output is read."""
    yield from token_prediction.check_weight(self)
    if not 0 <= self.head_dropout < 1:
      yield "head_dropout", "at least 0 and below 1"
    if (self.pooling == "cls" and setup.tokenizer is not None
        and not setup.tokenizer.vocabulary.add_cls):
      yield "pooling", ("'mean': config.tokens.add_cls=False, there is no [CLS] to read")

  def head(self, num_labels, *, width):
    """The module that reads pooled features.

    Args:
      num_labels: {column: number of labels}.
      width: of the features; not needed to make the head.
    """
    del width
    return heads.LabelHead(num_labels[self.label], self.pooling, self.head_dropout)

  def count(self, inputs):
    """Sequences of a batch that have the label."""
    return (inputs.labels[self.label] >= 0).sum()

  def sums(self, outputs, inputs, name, *, num_special):
    """loss (nats), weight (labelled sequences), correct (those told rightly)."""
    del num_special
    labels, logits = inputs.labels[self.label], outputs.labels[name]  # [B], [B, C]
    is_labelled = labels >= 0
    nats = heads.cross_entropy(logits, labels.clip(0))
    is_right = logits.argmax(axis=1) == labels
    return {"loss": jnp.sum(nats, where=is_labelled),
            "weight": is_labelled.sum().astype(jnp.float32),
            "correct": jnp.sum(is_right, where=is_labelled).astype(jnp.float32)}

  def metrics(self, sums):
    """loss (nats per sequence), accuracy, num_labelled; NaN without a label."""
    mean = functools.partial(token_prediction.mean, sums)
    return [metric.Metric("loss", mean("loss"), "nats"),
            metric.Metric("accuracy", mean("correct"), "share"),
            metric.Metric("num_labelled", sums["weight"], "count", False)]
