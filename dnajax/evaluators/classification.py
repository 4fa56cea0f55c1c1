"""How well a fine-tuned classifier says the labels of a split."""

import dataclasses

import jax
import numpy as np

from dnajax.devices import partitioning
from dnajax.evaluators import base, labelled, scores
from dnajax.inference import encode as features
from dnajax.shell import errors, metric


@dataclasses.dataclass(frozen=True)
class Classification(base.Evaluator):
  """Scores of the most probable label, by the head that a loss has trained."""
  split: str              # records that are asked
  loss: str = ""          # name in config.losses; "": the only one that says labels
  batch_size: int = 128   # records per step
  max_records: int = 0    # the first n of a fixed permutation; 0: all
  exclude_shared: bool = False  # leave out records whose sequence was trained on

  needs_task = True

  def check(self, setup):
    """Numbers, and whether there is such a loss."""
    yield from base.at_least(self, batch_size=1, max_records=0)
    if setup.losses is not None and _label_of(setup.losses, self.loss) is None:
      yield "loss", _must_be(setup.losses)

  @property
  def task(self):
    """One table per split."""
    return f"classification on {self.split}" + (f", {self.loss}" if self.loss else "")

  def build(self, context):
    """A `Runner`."""
    losses = context.task.losses
    label = _label_of(losses, self.loss)
    if label is None:
      raise errors.UserError(f"config.evals.*.loss={self.loss!r} must be {_must_be(losses)}.")
    name = self.loss or next(iter(_known(losses)))
    side = labelled.read(context, self.split, label, self.max_records)
    training = labelled.read(context, context.train_split, label)
    side, num_shared = labelled.split_shared(side, training, exclude=self.exclude_shared)
    predict = jax.jit(
        lambda params, bases: context.task.predict(params, bases)[name][label],
        out_shardings=context.mesh and partitioning.replicated(context.mesh))
    batch_size = features.round_up_batch(self.batch_size, context.mesh)

    def logits(params):
      parts = features.embed_batches(
          predict, params, features.padded_batches(side.bases, batch_size),
          mesh=context.mesh)
      return np.concatenate(list(parts))[:len(side.ids)]

    return Runner(logits, side.labels, num_shared=num_shared, protocol=(
        f"{label} of split {self.split}, {len(side.ids):,} records, first "
        f"{context.length} bp; the head of config.losses.{name}"
        + labelled.shared_in_words(num_shared, "records", "training record")))


def _label_of(losses, name):
  """The first label column of a loss, or of the only one that says labels; None if unclear."""
  known = _known(losses)
  if not name and len(known) == 1:
    name, = known
  return known[name][0] if name in known else None


def _known(losses):
  """{name of a loss that says labels: their columns}."""
  return {name: loss.labels for name, loss in losses.items() if loss.predicts == "labels"}


def _must_be(losses):
  known = _known(losses)
  return (f"the name of a loss that says labels: {', '.join(known)}" if known else
          "absent, and the evaluator too: no loss of this run says labels")


class Runner:
  """Scores of the most probable label."""

  def __init__(self, logits, labels, *, num_shared=0, protocol="classification"):
    """logits: params -> [N, C] float32. labels: [N] int32, 0..C-1.
    num_shared: records whose sequence was trained on, reported."""
    self._logits, self._labels, self._num_shared = logits, labels, num_shared
    self.protocol, self.is_right = protocol, None

  def run(self, params):
    """Yields Metrics: loss (nats), accuracy, macro_accuracy, macro_f1, mcc, f1 of class 1
    if there are two; NaN if a logit is not finite; majority_share and numbers."""
    logits = self._logits(params).astype(np.float64)
    labels = self._labels
    is_finite = bool(np.isfinite(logits).all())
    predicted = logits.argmax(axis=1) if is_finite else None
    self.is_right = predicted == labels if is_finite else None
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    loss = float(-log_p[np.arange(len(labels)), labels].mean()) if is_finite else np.nan
    yield metric.Metric("loss", loss, "nats")
    yield from scores.classification(labels, predicted)
    yield metric.Metric("mcc", scores.matthews(labels, predicted) if is_finite else np.nan)
    if logits.shape[1] == 2:
      yield from metric.shares({
          "f1": scores.positive_f1(labels, predicted) if is_finite else np.nan})
    yield from metric.shares(
        {"majority_share": float(np.bincount(labels).max() / len(labels))}, is_shown=False)
    yield from metric.counts({"num_queries": len(labels), "num_shared": self._num_shared})
