"""What a config leaves to be found: on another run, and on its own data."""

import dataclasses

import numpy as np

from dnajax.config import build
from dnajax.data import records
from dnajax.shell import errors
from dnajax.tokens import align
from dnajax.tokens import tokenizer as tokenizer_lib
from dnajax.workdir import load

_CONSENSUS_RECORDS = 4_096


def take_encoder(experiment, own_config=None):
  """The Experiment with the tokens and the encoder of the run it starts from.

  Of config.init_from.take="everything" nothing is taken: there the parameters must fit.

  Args:
    experiment: Experiment.
    own_config: config that the run itself has stored, if it is resumed: the other run may
      have moved since.

  Returns:
    Experiment.

  Raises:
    UserError: that run cannot be read.
  """
  start = experiment.init_from
  if not start.workdir or start.take == "everything":
    return experiment
  if own_config is not None:
    tokens = build.build(tokenizer_lib.TokenSettings, own_config["tokens"], "tokens")
    encoder = build.part("encoder", own_config["encoder"], "encoder")
  else:
    model = load.read_model(start.workdir)
    tokens, encoder = model.tokens, model.encoder
  # How it is trained is this run's own affair.
  tokens = dataclasses.replace(
      tokens, random_offset=experiment.tokens.random_offset,
      reverse_complement=experiment.tokens.reverse_complement)
  if type(encoder) is type(experiment.encoder):
    encoder = dataclasses.replace(encoder, **{
        key: getattr(experiment.encoder, key) for key in encoder.free})
  return dataclasses.replace(experiment, tokens=tokens, encoder=encoder)


def labels(losses, split):
  """How many different labels each column has that a loss needs.

  Args:
    losses: {name: part}.
    split: records.Split that is trained on.

  Returns:
    ({column: number}, list of lines that say what was found).

  Raises:
    UserError: no such column, or no record has a label.
  """
  numbers, lines = {}, []
  for column in dict.fromkeys(column for loss in losses.values() for column in loss.labels):
    names, ids = split.vocabulary(column), split.labels(column)
    counts = np.bincount(ids[ids >= 0], minlength=len(names))
    if not counts.sum():
      raise errors.UserError(f"No record of split {split.name!r} has a {column}.")
    numbers[column] = len(names)
    lines.append(
        f"labels      {len(names)} of {column}; rows of one in {split.name}: "
        f"{counts.min():,} to {counts.max():,}, none in {len(ids) - counts.sum():,} rows; "
        f"always the most frequent: {counts.max() / counts.sum():.1%} right")
  return numbers, lines


def alignment(experiment, split):
  """(Experiment with the consensus and the background that it leaves to the data, lines).

  config.tokens.align_to and config.encoder.background; of the first records of a
  permutation that is the same in every run.
  """
  asks = getattr(experiment.encoder, "background", "") == "train"
  if experiment.tokens.align_to != "train" and not asks:
    return experiment, []
  ids = records.fixed_sample(split.num_records, _CONSENSUS_RECORDS)
  bases, lines = split.bases(ids, experiment.data.max_length), []
  if experiment.tokens.align_to == "train":
    letters = align.consensus(bases)
    tokens = dataclasses.replace(experiment.tokens, align_to=letters)
    experiment = dataclasses.replace(experiment, tokens=tokens)
    lines.append(f"alignment   to the consensus of {len(ids):,} rows: {letters[:30]}…")
  if asks:
    found = align.shares(bases, experiment.tokens.align_to)
    encoder = dataclasses.replace(experiment.encoder, background=found)
    experiment = dataclasses.replace(experiment, encoder=encoder)
    lines.append(f"background  letters at {len(found) // 4} places of {len(ids):,} rows")
  return experiment, lines


def length(experiment, num_records):
  """The Experiment with total_steps for its number of epochs."""
  if not experiment.num_epochs:
    return experiment
  # Rows drawn class by class come on top of the pass over all records.
  per_epoch = -(-num_records // (experiment.batch_size - experiment.balance.num_rows))
  return dataclasses.replace(experiment, total_steps=experiment.num_epochs * per_epoch)
