"""Finds, once at the start of a run, what follows from its own data.

That is the probability that gives config.masking.ratio, and how many slots
the rows need. Spans overlap and are cut at the ends of rows, so that neither
has a formula.
"""

import functools
import math

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from dnajax import config as config_lib
from dnajax import errors
from dnajax.masking import schedule, strategy
from dnajax.tokens import kmers

_NUM_ROWS = 1024
_NUM_HALVINGS = 22
_TOLERANCE = 0.01  # of the ratio that is found


def resolve(config, split):
  """Fills in what a config leaves to be found; a function of config and data only.

  Args:
    config: ConfigDict, completed. For selections other than "uniform":
      masking.probability, masking.curriculum.hard_probability or
      masking.phases.probabilities that are 0 (or empty, with several phases)
      are found for masking.ratio; masking.num_scored and masking.num_kept that
      are 0 become the quantile masking.slot_quantile of what the rows need.
    split: records.Split that is trained on.

  Returns:
    (completed ConfigDict, list of lines that say what was found).

  Raises:
    UserError: no probability gives that ratio, or there is no PMI table.
  """
  config = config_lib.complete(config)  # a copy
  masking = config.masking
  if masking.selection == "uniform" and masking.curriculum.name == "none":
    return config, []
  derived = config_lib.derive(config)
  ranks = strategy.load_ranks(masking, config.data, derived.vocabulary)
  tokens = _sample(config, derived, split)
  num_maskable = max(int(tokens.is_maskable.sum()), 1)

  lines, needed = [], []
  for name, probability, phase, put in _unknowns(masking):
    count = _counter(masking, name, phase, tokens, derived.vocabulary, ranks)
    if not probability:
      probability = _search(lambda p, count=count: count(p).sum() / num_maskable,
                            masking.ratio, name)
      put(probability)
    counts = count(probability)
    needed += [count(probability * factor) for factor in (1.0, *masking.rate.factors)]
    lines.append(
        f"masking     {name}{_phase_text(masking, name, phase)}: probability "
        f"{probability:.4g} selects {counts.sum() / num_maskable:.2%} of the tokens of "
        f"{len(counts):,} rows ({counts.mean():.1f} ± {counts.std():.1f} a row)")
  _fill_slots(masking, derived.num_tokens, np.asarray(tokens.pad_mask.sum(axis=1)), needed)
  return config, lines


def _sample(config, derived, split):
  # Of a small data set some rows come several times, with draws of their own.
  ids = np.linspace(0, split.num_records - 1, _NUM_ROWS).astype(int)
  bases = split.bases(ids, config.data.max_length)
  return kmers.tokenize(jnp.asarray(bases), vocabulary=derived.vocabulary,
                        stride=config.tokens.stride, length=config.data.max_length)


def _unknowns(masking):
  """(selection, its probability, phase, function that writes it), each of them."""
  phases, curriculum = masking.phases, masking.curriculum
  num_phases = len(phases.counts) if masking.selection == "random_window" else 1
  chance = masking.ratio if masking.selection == "uniform" else masking.probability
  known = tuple(phases.probabilities) or (chance,) * num_phases
  if num_phases > 1 and not any(known):  # one is found for each phase
    with phases.ignore_type():
      phases.probabilities = (0.0,) * num_phases

  def put_phase(phase, value):
    if num_phases == 1:
      masking.probability = value
    else:
      phases.probabilities = (*phases.probabilities[:phase], value,
                              *phases.probabilities[phase + 1:])

  for phase in range(num_phases):
    yield (masking.selection, known[phase], phase, functools.partial(put_phase, phase))
  if curriculum.name != "none":
    known = (masking.ratio if curriculum.hard == "uniform"
             else curriculum.hard_probability)
    yield (curriculum.hard, known, 0,
           lambda value: setattr(curriculum, "hard_probability", value))


def _counter(masking, name, phase, tokens, vocabulary, ranks):
  """Returns probability -> number of selected tokens of each row, [B]."""
  one = ml_collections.ConfigDict(masking.to_dict())
  one.selection, one.curriculum.name = name, "none"
  one.ratio = one.probability = 1.0  # times the stage's factor
  with one.phases.ignore_type():
    one.phases.probabilities = ()
  select = strategy.make(one, vocabulary, ranks)

  @jax.jit
  def count(ids, is_maskable, probability):
    stage = schedule.first_stage().replace(
        phase=jnp.int32(phase), rate_factor=probability)
    return select(jax.random.key(0), ids, is_maskable, stage).sum(axis=1)

  return lambda probability: np.asarray(
      count(tokens.ids, tokens.is_maskable, jnp.float32(probability)))


def _search(rate, wanted, name):
  """The probability whose rate is `wanted`, by bisection on the same draws."""
  low, high = 0.0, 1.0
  for _ in range(_NUM_HALVINGS):
    middle = (low + high) / 2
    low, high = (middle, high) if rate(middle) < wanted else (low, middle)
  if abs(rate(high) - wanted) > _TOLERANCE:
    raise errors.UserError(
        f"config.masking.ratio={wanted:g} cannot be reached with {name!r} on these "
        f"data; the nearest is {rate(high):.3f}. Choose another ratio, or give the "
        "probability.")
  return float(f"{high:.4g}")  # what is printed is what is used


def _phase_text(masking, name, phase):
  if name != "random_window" or len(masking.phases.counts) < 2:
    return ""
  return f", phase {phase + 1}"


def _fill_slots(masking, num_tokens, num_real, needed):
  """Static numbers of scored and of kept slots, large enough for most rows."""
  quantile = masking.slot_quantile
  for key, counts in (
      ("num_scored", needed),
      ("num_kept", [num_real - np.floor(selected * masking.mask_share)
                    for selected in needed])):
    if not masking[key]:
      most = max(np.quantile(row, quantile) for row in counts)
      masking[key] = min(num_tokens, config_lib.round_up(
          math.ceil(most), masking.round_to))
