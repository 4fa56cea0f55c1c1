"""Checks a config and computes every derived value, once."""

import dataclasses
import json
import math
import pathlib

import ml_collections

from dnajax import errors, registry
from dnajax.tokens import kmers, vocabulary

HEADS = ("linear", "transform")
SCALINGS = ("per_64_sequences", "absolute")

# Keys that came later, with what a config that lacks them means.
_ADDED = {
    "tokens": dict(vocabulary="barcodebert", add_sep=False, reverse_complement=0.0),
    "model": dict(head="linear", tie_embeddings=False),  # of masked_lm
}


@dataclasses.dataclass(frozen=True)
class Derived:
  """Everything computed from the config, computed once."""
  vocabulary: vocabulary.Vocabulary
  num_tokens: int           # L, k-mers per sequence, [CLS] and [SEP] included
  num_kept: int             # K, slots of the encoder under `drop`
  num_scored: int           # M, positions the loss looks at
  read_length: int          # base pairs per row that training reads
  peak_learning_rate: float
  reverse_complement: float  # chance of a training row to be turned round


def derive(config):
  """Checks a training config and computes what follows from it.

  Args:
    config: ConfigDict as the files in configs/ make it.

  Returns:
    Derived.

  Raises:
    UserError: names the key, what is wrong with its value, and what to write.
  """
  config = complete(config)
  _check(config)
  tokens, masking = config.tokens, config.masking
  try:
    vocab = vocabulary.Vocabulary(
        tokens.k, tokens.n_policy, tokens.add_cls, layout=tokens.vocabulary,
        add_sep=tokens.add_sep)
  except ValueError as error:
    raise errors.UserError(f"In the config: {error}") from error
  num_tokens = kmers.num_tokens(config.data.max_length, k=tokens.k,
                                stride=tokens.stride, add_cls=tokens.add_cls,
                                add_sep=tokens.add_sep)
  if num_tokens > config.model.max_positions:
    raise errors.UserError(
        f"config.data.max_length={config.data.max_length} gives {num_tokens} "
        f"tokens, more than config.model.max_positions="
        f"{config.model.max_positions}. Raise the second or lower the first.")
  capacity = _capacity(masking)
  num_scored = (num_tokens if config.loss.masked_loss_weight < 1
                else capacity(num_tokens, masking.ratio))
  gone = masking.ratio * masking.mask_share
  scale = (config.batch_size / 64
           if config.optimizer.learning_rate_scaling == "per_64_sequences" else 1)
  return Derived(
      vocabulary=vocab,
      num_tokens=num_tokens,
      num_kept=capacity(num_tokens, 1 - gone),
      num_scored=num_scored,
      read_length=config.data.max_length
      + (tokens.k - 1 if tokens.random_offset else 0),
      peak_learning_rate=config.optimizer.learning_rate * scale,
      reverse_complement=tokens.reverse_complement)


def complete(config):
  """A copy of a ConfigDict with the keys that older versions did not write."""
  values = config.to_dict()
  for part, defaults in _ADDED.items():
    if part == "model" and values["model"]["name"] != "masked_lm":
      continue  # other models have no such fields
    values[part] = {**defaults, **values[part]}
  return from_dict(values)


def _capacity(masking):
  """Returns (length, share) -> slots that hold `share` of `length` tokens."""

  def capacity(length, share):
    spread = 0.0
    if masking.count != "exact":  # of a binomial count
      spread = masking.capacity_sds * math.sqrt(length * share * (1 - share))
    return min(round_up(math.ceil(length * share + spread), masking.round_to),
               length)

  return capacity


def round_up(number, multiple):
  """Smallest multiple of `multiple` that is at least `number`."""
  return -(-number // multiple) * multiple


def _check(config):
  registry.selection(config.masking.selection)
  registry.corruption(config.masking.corruption)
  registry.model(config.model.name)
  registry.schedule(config.optimizer.schedule)
  for spec in config.evals.values():
    registry.evaluator(spec.type)
  masking, model, optimizer = config.masking, config.model, config.optimizer
  for key, value, is_right, want in (
      ("masking.ratio", masking.ratio, 0 < masking.ratio < 1, "between 0 and 1"),
      ("masking.mask_share", masking.mask_share,
       0 <= masking.mask_share <= 1, "between 0 and 1"),
      ("masking.random_share", masking.random_share,
       0 <= masking.random_share <= 1 - masking.mask_share + 1e-9,
       "at most 1 - masking.mask_share"),
      ("masking.count", masking.count, masking.count in ("bernoulli", "exact"),
       "'bernoulli' or 'exact'"),
      ("masking.round_to", masking.round_to, masking.round_to >= 1, "at least 1"),
      ("loss.masked_loss_weight", config.loss.masked_loss_weight,
       0 < config.loss.masked_loss_weight <= 1, "above 0 and at most 1"),
      ("tokens.stride", config.tokens.stride, config.tokens.stride >= 1,
       "at least 1"),
      ("tokens.reverse_complement", config.tokens.reverse_complement,
       0 <= config.tokens.reverse_complement <= 1, "between 0 and 1"),
      ("data.max_length", config.data.max_length,
       config.data.max_length >= config.tokens.k, "at least tokens.k"),
      ("batch_size", config.batch_size, config.batch_size >= 1, "at least 1"),
      ("total_steps", config.total_steps, config.total_steps >= 1, "at least 1"),
      ("accumulate_steps", config.accumulate_steps,
       config.accumulate_steps >= 1
       and config.batch_size % config.accumulate_steps == 0,
       f"a divisor of batch_size={config.batch_size}"),
      ("optimizer.learning_rate_scaling", optimizer.learning_rate_scaling,
       optimizer.learning_rate_scaling in SCALINGS, " or ".join(SCALINGS)),
      ("optimizer.warmup_steps", optimizer.warmup_steps,
       0 <= optimizer.warmup_steps <= config.total_steps,
       f"at most total_steps={config.total_steps}"),
      ("model.num_heads", model.num_heads, model.width % model.num_heads == 0,
       f"a divisor of model.width={model.width}"),
      ("model.norm", model.norm, model.norm in ("post", "pre"), "'post' or 'pre'"),
      ("model.head", model.get("head", "linear"),  # masked_lm only
       model.get("head", "linear") in HEADS, "'linear' or 'transform'"),
      ("model.dtype", model.dtype, model.dtype in ("float32", "bfloat16"),
       "'float32' or 'bfloat16'"),
      ("model.attention", model.attention,
       model.attention in ("explicit", "xla", "cudnn"),
       "'explicit', 'xla' or 'cudnn'"),
      ("model.dropout", model.dropout,
       model.dropout == 0 or model.attention == "explicit",
       "0 unless model.attention='explicit'"),
      ("log.every_steps", config.log.every_steps, config.log.every_steps >= 1,
       "at least 1"),
      ("checkpoint.every_steps", config.checkpoint.every_steps,
       config.checkpoint.every_steps >= 1, "at least 1"),
  ):
    if not is_right:
      raise errors.UserError(f"config.{key}={value!r} must be {want}.")
  if masking.corruption == "drop" and model.name == "masked_lm":
    raise errors.UserError(
        "config.masking.corruption='drop' takes the selected tokens out, and "
        "config.model.name='masked_lm' has no decoder to predict them with. "
        "Use corruption='replace' or 'hide', or model.name='mae'.")
  if model.name == "mae" and model.decoder_width % model.decoder_num_heads:
    raise errors.UserError(
        f"config.model.decoder_num_heads={model.decoder_num_heads} must be a "
        f"divisor of config.model.decoder_width={model.decoder_width}.")


def build_model(config, derived):
  """The Linen module a config describes."""
  fields = config.model.to_dict()
  cls = registry.model(fields.pop("name"))
  return cls(vocab_size=derived.vocabulary.size,
             num_classes=derived.vocabulary.num_classes, **fields)


def to_json(config):
  """A ConfigDict as indented JSON text."""
  return json.dumps(config.to_dict(), indent=2, default=list)


def from_dict(values):
  """A ConfigDict from what `to_json` wrote (already parsed)."""
  return ml_collections.ConfigDict(values)


def load_workdir_config(workdir):
  """The config of a run, from its workdir.

  Raises:
    UserError: there is no workdir or no readable config in it.
  """
  path = pathlib.Path(workdir) / "config.json"
  try:
    return from_dict(json.loads(path.read_text("utf-8")))
  except FileNotFoundError as error:
    raise errors.UserError(
        f"{workdir} is no workdir: it has no config.json. Give the directory "
        "that was --workdir of dnajax.main.") from error
  except ValueError as error:
    raise errors.UserError(f"{path} is damaged: {error}.") from error
