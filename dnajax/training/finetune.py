"""What fine-tuning finds at its start: encoder, classes, number of updates."""

import jax
import numpy as np

from dnajax import checkpointing, errors
from dnajax import config as config_lib

_NOT_OF_ENCODER = ("dropout", "attention", "remat", "scan_unroll", "dtype")
_TOKENS = ("vocabulary", "k", "stride", "n_policy", "add_cls", "add_sep")
PARAMETERS = ("pretrained", "random")


def resolve(config, split):
  """Fills in what a config leaves to be found; a function of config and files only.

  Args:
    config: ConfigDict, completed. With encoder.workdir its tokens and the sizes of
      its encoder are those of that run. model.num_classes=0 becomes the number of
      labels of the data set; num_epochs other than 0 decides total_steps, and
      optimizer.warmup_fraction other than 0 the warm-up.
    split: records.Split that is trained on.

  Returns:
    (ConfigDict, list of lines that say what was found).

  Raises:
    UserError: the encoder cannot be read or does not suit, or there are no labels.
  """
  config, lines = config_lib.complete(config), []
  if config.encoder.parameters not in PARAMETERS:
    raise errors.UserError(
        f"config.encoder.parameters={config.encoder.parameters!r} must be "
        f"{' or '.join(map(repr, PARAMETERS))}.")
  if config.encoder.workdir:
    _take_encoder(config)
  if config.model.pooling == "cls" and not config.tokens.add_cls:
    raise errors.UserError(
        "config.model.pooling='cls' needs a [CLS] token, and this encoder's "
        "vocabulary has none. Use --config.model.pooling=mean.")
  labels = split.labels(config.data.label)
  names = split.vocabulary(config.data.label)
  config.model.num_classes = config.model.num_classes or len(names)
  if config.model.num_classes != len(names):
    raise errors.UserError(
        f"config.model.num_classes={config.model.num_classes}, and {config.data.name} "
        f"has {len(names)} different {config.data.label}. Leave it at 0.")
  counts = np.bincount(labels[labels >= 0], minlength=len(names))
  num_rows = int(counts.sum())
  if not num_rows:
    raise errors.UserError(f"No record of split {split.name!r} has a {config.data.label}.")
  if config.num_epochs:
    config.total_steps = config.num_epochs * -(-num_rows // config.batch_size)
  if config.optimizer.warmup_fraction:
    config.optimizer.warmup_steps = round(
        config.optimizer.warmup_fraction * config.total_steps)
  lines.append(
      f"classes     {len(names)} of {config.data.label}; rows of a class in {split.name}: "
      f"{counts.min():,} to {counts.max():,}; always the most frequent: "
      f"{counts.max() / num_rows:.1%} right")
  return config, lines


def _take_encoder(config):
  """Tokens and sizes of the pretrained run, written into the config."""
  source = config_lib.load_workdir_config(config.encoder.workdir)
  config.tokens.update({name: source.tokens[name] for name in _TOKENS})
  for name, value in source.model.items():
    if name in config.model and name not in ("name", *_NOT_OF_ENCODER):
      config.model[name] = value


def load_encoder(state, config, sharding):
  """The state with the parameters of config.encoder.workdir's encoder.

  Returns:
    (TrainState, where its parameters come from).

  Raises:
    UserError: there is no checkpoint, or it does not fit.
  """
  source = config.encoder.workdir
  if not source or config.encoder.parameters == "random":
    return state, f"random, seed {config.seed}"
  step, params, _ = checkpointing.load_params(source)
  mismatch = checkpointing.explain_mismatch(
      state.params["encoder"], params.get("encoder", {}))
  if mismatch:
    raise errors.UserError(
        f"config.encoder.workdir={source}: its encoder does not fit:\n{mismatch}")
  encoder = jax.tree.map(jax.device_put, params["encoder"], sharding.params["encoder"])
  return (state.replace(params={**state.params, "encoder": encoder}),
          f"encoder of {source}, step {step}; head random, seed {config.seed}")
