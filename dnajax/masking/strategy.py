"""From config.masking to one selection that follows a stage."""

import pathlib

import jax
import jax.numpy as jnp

from dnajax import errors, registry
from dnajax.data import records
from dnajax.masking import kmer_span, pmi, schedule

NEEDS_RANKS = ("gene_mask", "global_pmi")


def make(masking, vocabulary, ranks):
  """Binds the selections of a config to their constants.

  Args:
    masking: config.masking, completed.
    vocabulary: of the tokens.
    ranks: [V] int32, see `load_ranks`; None if no selection needs them.

  Returns:
    (key, ids [B, L], is_maskable [B, L], stage) -> is_selected [B, L] bool. In
    a curriculum only the selection that the stage names is computed.
  """
  easy = _bind(masking.selection, masking, vocabulary, ranks,
               masking.probability, masking.phases.probabilities)
  if masking.curriculum.name == "none":
    return easy
  hard = _bind(masking.curriculum.hard, masking, vocabulary, ranks,
               masking.curriculum.hard_probability, ())

  def select(key, ids, is_maskable, stage):
    return jax.lax.cond(stage.is_hard, hard, easy, key, ids, is_maskable, stage)

  return select


def names(masking):
  """The selections that a config uses, easy first."""
  out = [masking.selection]
  if masking.curriculum.name != "none":
    out.append(masking.curriculum.hard)
  return out


def load_ranks(masking, data, vocabulary):
  """Ranks of the config's PMI table, [V] int32; None without masking.pmi_table.

  A path that does not exist as it is written is looked up in the directory of
  the data set, where generated data sets keep tables of their own.

  Args:
    masking: config.masking, completed.
    data: config.data.
    vocabulary: of the tokens.

  Raises:
    UserError: a selection needs the table and none is named, or it is wrong.
  """
  needing = [name for name in names(masking) if name in NEEDS_RANKS]
  if not masking.pmi_table:
    if needing:
      raise errors.UserError(
          f"config.masking.selection={needing[0]!r} ranks tokens by PMI and needs "
          "config.masking.pmi_table. Make one with python -m data_pipelines.npmi "
          f"--input=genome.fa.gz --k={vocabulary.k} --output=FILE.npz.")
    return None
  return pmi.load_ranks(_find_table(masking.pmi_table, data), vocabulary)


def _find_table(name, data):
  path = pathlib.Path(name)
  if path.exists() or path.is_absolute():
    return path
  try:
    inside = records.find(data.dir, data.name) / path
  except errors.UserError:
    return path
  return inside if inside.exists() else path


def _bind(name, masking, vocabulary, ranks, probability, phase_probabilities):
  fn = registry.selection(name)
  constants = {
      "uniform": lambda: dict(count=masking.count),
      "kmer_span": lambda: dict(offsets=_offsets(vocabulary.k)),
      "random_window": lambda: dict(sizes=tuple(masking.window_sizes),
                                    draw=masking.window_draw),
      "gene_mask": lambda: dict(ranks=ranks, rank_by=masking.rank_by,
                                order=masking.gene_mask_order),
      "global_pmi": lambda: dict(ranks=ranks, rank_by=masking.rank_by),
  }[name]()

  def select(key, ids, is_maskable, stage):
    chance = masking.ratio if name == "uniform" else probability
    if phase_probabilities:
      chance = jnp.asarray(tuple(phase_probabilities), jnp.float32)[stage.phase]
    chance = chance * stage.rate_factor
    moving = {"ratio" if name == "uniform" else "probability": chance}
    if name == "random_window":
      moving["num_sizes"] = schedule.num_sizes(masking, stage.phase)
    return fn(key, ids, is_maskable, **constants, **moving)

  return select


def _offsets(k):
  if k not in kmer_span.OFFSETS:
    raise errors.UserError(
        f"config.masking.selection='kmer_span' is defined for tokens.k in "
        f"{sorted(kmer_span.OFFSETS)}, not {k}.")
  return kmer_span.OFFSETS[k]
