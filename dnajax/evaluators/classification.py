"""How well a fine-tuned classifier says the labels of a split."""

import numpy as np

from dnajax import config as config_lib
from dnajax.evaluators import features, labelled, scores, specs
from dnajax.training import classification


def from_config(spec, context):
  """The evaluator of one entry of config.evals.

  Args:
    spec: split, batch_size, max_records (0 = all); with exclude_shared=True records
      whose sequence was trained on are left out (counted either way, as num_shared).
    context: base.Context of a run with config.model.name="classifier".
  """
  spec = specs.complete(
      spec, required=("split",),
      optional=dict(batch_size=128, max_records=0, exclude_shared=False),
      wanted={"batch_size": specs.at_least(1), "max_records": specs.at_least(0)})
  label = context.config.data.label
  side = labelled.read(context, spec.split, label, spec.max_records)
  training = labelled.read(context, config_lib.split_name(context.config), label)
  side, num_shared = labelled.split_shared(
      side, training, exclude=spec.exclude_shared)
  predict = classification.make_predict(context.model, context.config, context.derived)
  batch_size = features.round_up_batch(spec.batch_size, context.mesh)

  def logits(params):
    parts = features.embed_batches(
        predict, params, features.padded_batches(side.bases, batch_size),
        mesh=context.mesh)
    return np.concatenate(list(parts))[:len(side.ids)]

  out = Classification(logits, side.labels, num_shared=num_shared)
  out.protocol = (f"{label} of split {spec.split}, {len(side.ids):,} records, first "
                  f"{context.config.data.max_length} bp, pooling "
                  f"{context.config.model.pooling}; the classifier's own head")
  return out


class Classification:
  """Scores of the most probable label."""

  def __init__(self, logits, labels, *, num_shared=0):
    """logits: params -> [N, C] float32. labels: [N] int32, 0..C-1.
    num_shared: records whose sequence was trained on, reported."""
    self._logits, self._labels, self._num_shared = logits, labels, num_shared
    self.protocol, self.is_right = "classification", None

  def run(self, params):
    """Yields loss (nats), accuracy, macro_accuracy, macro_f1, mcc, f1 of class 1 if
    there are two, majority_share, num_queries; NaN if a logit is not finite."""
    logits = self._logits(params).astype(np.float64)
    labels = self._labels
    is_finite = bool(np.isfinite(logits).all())
    predicted = logits.argmax(axis=1)
    self.is_right = predicted == labels if is_finite else None
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    values = {"loss": -log_p[np.arange(len(labels)), labels].mean(),
              **dict(scores.classification(labels, predicted)),
              "mcc": scores.matthews(labels, predicted)}
    if logits.shape[1] == 2:
      values["f1"] = scores.positive_f1(labels, predicted)
    for name, value in values.items():
      yield name, float(value) if is_finite else float("nan")
    yield "majority_share", float(np.bincount(labels).max() / len(labels))
    yield "num_queries", len(labels)
    yield "num_shared", self._num_shared
