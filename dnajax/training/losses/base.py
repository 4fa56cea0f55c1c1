"""What every loss has: a weight, a ramp, checks."""

import dataclasses
from typing import Literal

import jax.numpy as jnp


@dataclasses.dataclass(frozen=True, kw_only=True)
class Loss:
  """Base of the losses: one term of the total that a run minimises.

  A loss is a frozen dataclass with two methods more than stand here,

    sums(outputs, inputs, name, *, is_training) -> {"loss", "weight", ...}
    metrics(sums) -> list of Metric

  with outputs a models.types.Outputs, inputs a models.types.Inputs, name its own in
  config.losses. `sums` are float32 scalars that may be added over batches: "loss" (nats)
  over "weight" is its mean, and "weight" is what `count` says. is_training: False in
  evaluations, where what only helps to learn (smoothed labels, margins) is left out.
  `metrics` gets added up sums, floats.

  Attributes:
    labels: columns of labels that it reads.
    predicts: "tokens"; "labels", with a head that gives {column: logits [B, C]}; or "".
    scores_visible: whether tokens that were not selected are to be predicted too.
    compares_rows: whether a row's loss depends on the other rows of its batch.
  """
  weight: float = 1.0  # of its mean in the total loss
  ramp_steps: int = 0  # updates over which the weight rises linearly from 0; 0: at once

  labels = ()
  predicts = ""
  scores_visible = False
  compares_rows = False

  def check(self, setup):
    """A positive weight, a ramp; whole batches where rows are compared."""
    if not self.weight > 0:
      yield "weight", "above 0; leave a loss out to do without it"
    if self.ramp_steps < 0:
      yield "ramp_steps", "at least 0"
    if self.compares_rows and setup.accumulate_steps > 1:
      yield "name", ("'cross_entropy', or config.accumulate_steps=1: it compares the rows "
                     "of a whole batch, and parts of a batch are seen apart")

  def module(self, num_labels):
    """The module that reads `Outputs.pooled`; None: no parameters of its own.

    Args:
      num_labels: {column: number of labels}.
    """
    del num_labels

  def bind(self, split):
    """The loss with what it needs to know of the split that is trained on."""
    del split
    return self

  def weight_at(self, step):
    """The weight at a step, which may be traced (BarcodeMAE+, papers: section 2)."""
    if not self.ramp_steps:
      return self.weight
    return self.weight * jnp.minimum(step / self.ramp_steps, 1.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PooledLoss(Loss):
  """Base of the losses that read one vector per sequence."""
  pooling: Literal["mean", "cls"] = "mean"  # features: mean over the tokens seen, or [CLS]

  def check(self, setup):
    """A [CLS] where its output is read."""
    yield from super().check(setup)
    if setup.tokenizer is not None and self.pooling not in setup.tokenizer.poolings:
      yield "pooling", ("'mean': config.tokens.add_cls=False, there is no [CLS] to read")

  def _features(self, outputs):
    return outputs.pooled[self.pooling].astype(jnp.float32)        # [B, D]


@dataclasses.dataclass(frozen=True, kw_only=True)
class BatchLoss(PooledLoss):
  """Base of the losses about all sequences of a batch at once, whatever their labels."""

  compares_rows = True

  def count(self, inputs):
    """Sequences of a batch; 0 for a single one, which is compared with none."""
    number = inputs.is_real.sum()
    return jnp.where(number > 1, number, 0)


def mean(sums, name):
  """The mean that a sum and its "weight" give, a float; NaN over nothing."""
  return sums[name] / sums["weight"] if sums["weight"] else float("nan")
