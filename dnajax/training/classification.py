"""Fine-tuning: one label per sequence is predicted."""

import jax
import jax.numpy as jnp
import optax

from dnajax.tokens import kmers
from dnajax.training import finetune


class Classification:
  """What an update of fine-tuning computes; see `tasks.Task`."""

  sum_names = ("loss", "correct", "rows", "grad_norm", "updates")
  resolve = staticmethod(finetune.resolve)
  begin = staticmethod(finetune.load_encoder)

  def __init__(self, model, config, derived):
    self._model, self._config, self._derived = model, config, derived
    self.label = config.data.label

  def start(self):
    """Nothing but the parameters changes."""
    return None

  def observe(self, name, values, progress, step):
    """No evaluation changes what is done."""
    del name, values, step
    return progress

  def stage(self, progress, step):
    """Every update does the same."""
    del progress, step
    return "", {}

  def init_params(self, key):
    """Random parameters, leaves boxed with logical axis names."""
    bases = jnp.zeros((1, self._config.data.max_length), jnp.uint8)
    tokens = tokenize(bases, self._config, self._derived)
    return self._model.init(key, tokens.ids, tokens.pad_mask)["params"]

  def make_prepare(self):
    """Returns (key, stage key, batch, state) -> ((tokens, labels), scale, counts)."""
    def prepare(key, stage_key, batch, state):
      del stage_key, state
      bases = batch["bases"]
      if self._derived.reverse_complement:
        bases = kmers.randomly_reverse_complement(
            key, bases, probability=self._derived.reverse_complement)
      tokens = tokenize(bases, self._config, self._derived)
      return (tokens, batch["labels"]), 1 / len(batch["labels"]), {}

    return prepare

  def loss(self, params, inputs, key, scale):
    """(mean cross-entropy, sums) of rows, or of a part of them."""
    tokens, labels = inputs
    logits = self._model.apply({"params": params}, tokens.ids, tokens.pad_mask,
                               deterministic=False, rngs={"dropout": key})
    loss = optax.softmax_cross_entropy_with_integer_labels(logits, labels).sum()
    sums = {"loss": loss, "rows": jnp.float32(len(labels)),
            "correct": (logits.argmax(axis=1) == labels).sum().astype(jnp.float32)}
    return scale * loss, sums

  def values(self, sums):
    """Sums since the last report -> values of a row of metrics.jsonl."""
    rows = max(sums["rows"], 1)
    return {"train/loss": sums["loss"] / rows, "train/accuracy": sums["correct"] / rows}


def tokenize(bases, config, derived):
  """Tokens of whole sequences in frame 0, cut at config.data.max_length bp."""
  return kmers.tokenize(bases, vocabulary=derived.vocabulary,
                        stride=config.tokens.stride)


def make_predict(model, config, derived):
  """Returns (params, bases [B, bp] uint8) -> logits [B, C] float32, compiled."""
  @jax.jit
  def predict(params, bases):
    tokens = tokenize(bases, config, derived)
    return model.apply({"params": params}, tokens.ids, tokens.pad_mask)

  return predict
