"""Checks a config and computes every derived value, once."""

import dataclasses
import json
import math
import pathlib

import ml_collections

from dnajax.config.derived import registry
from dnajax.masking import checks
from dnajax.models import masked_lm
from dnajax.shell import errors
from dnajax.tokens import kmers, vocabulary

SCALINGS = ("per_64_sequences", "absolute")

# Keys that came later, with what a config that lacks them means.
_ADDED = {
    "tokens": dict(vocabulary="barcodebert", add_sep=False, reverse_complement=0.0),
    "model": dict(head="linear", tie_embeddings=False),  # of masked_lm
    "masking": dict(
        probability=0.0,    # of a centre; 0: found for the ratio
        rank_by="token", gene_mask_order="sorted", pmi_table="",
        window_sizes=(6,), window_draw="per_row",
        phases=dict(boundaries=(), counts=(1,), probabilities=()),
        rate=dict(boundaries=(), factors=()),
        curriculum=dict(
            name="none", hard="global_pmi", hard_probability=0.0, num_blocks=10,
            evaluator="masked_loss", threshold=1.0, change="drop", relative=False),
        num_scored=0, num_kept=0, slot_quantile=0.999),  # 0: found for the quantile
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
  masking: ml_collections.ConfigDict | None  # config.masking with all keys; None for a
  #                                            classifier, which hides nothing


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
  tokens, masking = config.tokens, config.get("masking")
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
  num_kept, num_scored = (num_tokens, 0) if masking is None else _slots(masking, num_tokens)
  if masking is not None and config.loss.masked_loss_weight < 1:
    num_scored = num_tokens
  scale = (config.batch_size / 64
           if config.optimizer.learning_rate_scaling == "per_64_sequences" else 1)
  return Derived(
      vocabulary=vocab,
      num_tokens=num_tokens,
      num_kept=num_kept,
      num_scored=num_scored,
      read_length=config.data.max_length
      + (tokens.k - 1 if tokens.random_offset else 0),
      peak_learning_rate=config.optimizer.learning_rate * scale,
      reverse_complement=tokens.reverse_complement,
      masking=masking)


def complete(config):
  """A copy of a ConfigDict with the keys that older versions did not write."""
  values = config.to_dict()
  for part, defaults in _ADDED.items():
    if part not in values or part == "model" and values["model"]["name"] != "masked_lm":
      continue  # other models have no such fields, a classifier masks nothing
    values[part] = _merged(defaults, values[part])
  return from_dict(values)


def _merged(defaults, values):
  return {**defaults, **values, **{
      key: _merged(default, values[key]) for key, default in defaults.items()
      if isinstance(default, dict) and key in values}}


def _slots(masking, length):
  """(K, M): slots for kept and for scored tokens."""
  if masking.selection != "uniform" or masking.curriculum.name != "none":
    # No formula: masking.rate counts on the data; until then there is room for all.
    return masking.num_kept or length, masking.num_scored or length

  def capacity(share):
    share = min(max(share, 0.0), 1.0)
    spread = 0.0
    if masking.count != "exact":  # of a binomial count
      spread = masking.capacity_sds * math.sqrt(length * share * (1 - share))
    return min(round_up(math.ceil(length * share + spread), masking.round_to),
               length)

  factors = (1.0, *masking.rate.factors)
  return (capacity(1 - min(factors) * masking.ratio * masking.mask_share),
          capacity(max(factors) * masking.ratio))


def round_up(number, multiple):
  """Smallest multiple of `multiple` that is at least `number`."""
  return -(-number // multiple) * multiple


def split_name(config):
  """Name of the split that is trained on; "{seed}" in config.data.split is the seed.

  Raises:
    UserError: something else stands in braces.
  """
  try:
    return config.data.split.format(seed=config.seed)
  except (KeyError, IndexError, ValueError) as error:
    raise errors.UserError(
        f"config.data.split={config.data.split!r}: only {{seed}} may stand in "
        "braces.") from error


def _check(config):
  registry.model(config.model.name)
  registry.schedule(config.optimizer.schedule)
  for spec in config.evals.values():
    registry.evaluator(spec.type)
  split_name(config)
  if config.model.name != "classifier":
    checks.check(config)
    _check_prediction(config)
  model, optimizer = config.model, config.optimizer
  _refuse((
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
  ))


def _refuse(rows):
  """rows: of (key, value, whether it is right, what it must be)."""
  for key, value, is_right, want in rows:
    if not is_right:
      raise errors.UserError(f"config.{key}={value!r} must be {want}.")


def _check_prediction(config):
  """What only a model that predicts hidden tokens has."""
  masking, model = config.masking, config.model
  _refuse((
      ("loss.masked_loss_weight", config.loss.masked_loss_weight,
       0 < config.loss.masked_loss_weight <= 1, "above 0 and at most 1"),
      ("model.head", model.get("head", "linear"),  # masked_lm only
       model.get("head", "linear") in masked_lm.HEADS, "'linear' or 'transform'"),
  ))
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
  name = fields.pop("name")
  if name != "classifier":  # whose classes are labels
    fields["num_classes"] = derived.vocabulary.num_classes
  return registry.model(name)(vocab_size=derived.vocabulary.size, **fields)


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
    return complete(from_dict(json.loads(path.read_text("utf-8"))))
  except FileNotFoundError as error:
    raise errors.UserError(
        f"{workdir} is no workdir: it has no config.json. Give the directory "
        "that was --workdir of dnajax.main.") from error
  except ValueError as error:
    raise errors.UserError(f"{path} is damaged: {error}.") from error
