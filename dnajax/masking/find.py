"""Finds, once at the start of a run, what its masking needs of files and data.

That is the table of PMI ranks, the probability that gives the ratio asked for, and how
many slots the rows need. Spans overlap and are cut at the ends of rows, so that neither
of the last two has a formula.
"""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np

from dnajax.masking import pmi, slots
from dnajax.shell import errors, files

_NUM_ROWS = 1024
_NUM_HALVINGS = 22
_TOLERANCE = 0.01  # of the ratio that is found


def load_ranks(settings, tokenizer, folder=None, *, where="masking"):
  """Ranks of the PMI table, [V] int32; None without one.

  Args:
    settings: settings.Masking. A table that does not exist as it is written is looked
      up in `folder`, where generated data sets keep tables of their own.
    tokenizer: of the run.
    folder: directory of the data set, or None.
    where: key of the settings below `config`, for messages.

  Raises:
    UserError: a selection needs the table and none is named, or it is wrong.
  """
  vocabulary = tokenizer.vocabulary
  if settings.pmi_table:
    return pmi.load_ranks(_find_table(settings.pmi_table, folder), vocabulary)
  for key, selection in settings.in_use().items():
    if selection.needs_ranks:
      raise errors.UserError(
          f"config.{where}.{key}.name={selection.name!r} ranks tokens by PMI and needs a "
          f"table in config.{where}.pmi_table. Make one with python -m "
          f"data_pipelines.npmi --input=genome.fa.gz --k={vocabulary.k} "
          "--output=FILE.npz.")
  return None


def _find_table(name, folder):
  path = files.path(name)
  if path.exists() or path.is_absolute() or folder is None:
    return path
  inside = files.path(folder) / name
  return inside if inside.exists() else path


def resolve(settings, tokenizer, ranks, split, *, where="masking"):
  """Fills in what is left to be found; a function of settings and data only.

  Chances that are 0 are found for the ratio of their selection, each phase and the hard
  selection of a curriculum for itself. num_scored and num_kept that are 0 become the
  quantile slot_quantile of what the rows need, unless all selections have a formula
  (see `slots.by_formula`), which needs no data.

  Args:
    settings: settings.Masking.
    tokenizer: of the run.
    ranks: see `load_ranks`.
    split: records.Split that is trained on.
    where: key of the settings below `config`, for messages.

  Returns:
    (settings, list of lines that say what was found).

  Raises:
    UserError: no chance gives that ratio.
  """
  length = tokenizer.num_tokens
  if slots.by_formula(settings, length):
    return settings, []
  tokens = _sample(tokenizer, split)
  factors, lines, needed = (1.0, *settings.rate.factors), [], []

  def measured(key, selection):
    selection, said, counts = _measure(
        selection, tokenizer, ranks, tokens, factors, f"{where}.{key}")
    lines.extend(said)
    needed.extend(counts)
    return selection

  settings = dataclasses.replace(
      settings, selection=measured("selection", settings.selection))
  if settings.curriculum.hard is not None:
    settings = dataclasses.replace(settings, curriculum=dataclasses.replace(
        settings.curriculum, hard=measured("curriculum.hard", settings.curriculum.hard)))
  return _with_slots(settings, length, np.asarray(tokens.pad_mask.sum(axis=1)),
                     needed), lines


def _sample(tokenizer, split):
  # Of a small data set some rows come several times, with draws of their own.
  ids = np.linspace(0, split.num_records - 1, _NUM_ROWS).astype(int)
  return tokenizer(jnp.asarray(split.bases(ids, tokenizer.length)))


def _measure(selection, tokenizer, ranks, tokens, factors, where):
  """Finds the chances of one selection, for each of its phases.

  Returns:
    (selection with its chances, lines, list of numbers of selected tokens [B]).
  """
  num_maskable = max(int(tokens.is_maskable.sum()), 1)
  count = _counter(selection, tokenizer, ranks, tokens)
  rates, lines, needed = list(selection.rates()), [], []
  for phase, first_step in enumerate(selection.first_steps()):
    if not rates[phase]:
      rates[phase] = _search(
          lambda rate, step=first_step: count(rate, step).sum() / num_maskable,
          selection, where)
    counts = count(rates[phase], first_step)
    needed += [count(rates[phase] * factor, first_step) for factor in factors]
    text = f", phase {phase + 1}" if len(rates) > 1 else ""
    lines.append(
        f"masking     {selection.name}{text}: {selection.rate_name} "
        f"{rates[phase]:.4g} selects {counts.sum() / num_maskable:.2%} of the tokens of "
        f"{len(counts):,} rows ({counts.mean():.1f} ± {counts.std():.1f} a row)")
  if tuple(rates) != tuple(selection.rates()):
    selection = selection.with_rates(tuple(rates))
  return selection, lines, needed


def _counter(selection, tokenizer, ranks, tokens):
  """Returns (rate, step) -> number of selected tokens of each row, [B]."""
  selection = selection.for_tokenizer(tokenizer)
  ranks = None if ranks is None else jnp.asarray(ranks)

  @jax.jit
  def count(ids, is_maskable, rate, step):
    return selection(jax.random.key(0), ids, is_maskable, ranks=ranks, rate=rate,
                     step=step).sum(axis=1)

  return lambda rate, step: np.asarray(
      count(tokens.ids, tokens.is_maskable, jnp.float32(rate), jnp.int32(step)))


def _search(share, selection, where):
  """The rate whose share is the ratio wanted, by bisection on the same draws."""
  low, high = 0.0, 1.0
  for _ in range(_NUM_HALVINGS):
    middle = (low + high) / 2
    low, high = (middle, high) if share(middle) < selection.ratio else (low, middle)
  if abs(share(high) - selection.ratio) > _TOLERANCE:
    raise errors.UserError(
        f"config.{where}.ratio={selection.ratio:g} cannot be reached with "
        f"{selection.name!r} on these data; the nearest is {share(high):.3f}. Choose "
        f"another ratio, or give the {selection.rate_name}.")
  return float(f"{high:.4g}")  # what is printed is what is used


def _with_slots(settings, length, num_real, needed):
  """Static numbers of scored and of kept slots, large enough for most rows."""
  mask_share = getattr(settings.corruption, "mask_share", 1.0)
  found = {}
  for key, counts in (
      ("num_scored", needed),
      ("num_kept", [num_real - np.floor(selected * mask_share) for selected in needed])):
    if not getattr(settings, key):
      most = max(np.quantile(row, settings.slot_quantile) for row in counts)
      found[key] = slots.round_up(math.ceil(most), settings.round_to, length)
  return dataclasses.replace(settings, **found)
