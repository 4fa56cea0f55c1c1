"""Checks of config.masking that concern one selection or curriculum."""

from dnajax import errors, registry
from dnajax.masking import gene_mask, pmi, random_window, schedule, uniform


def check(config):
  """Refuses a masking config that cannot be run; config is completed.

  Raises:
    UserError: names the key, what is wrong with its value, and what to write.
  """
  masking = config.masking
  registry.selection(masking.selection)
  registry.corruption(masking.corruption)
  registry.selection(masking.curriculum.hard)
  curriculum, phases, rate = masking.curriculum, masking.phases, masking.rate
  spec = config.evals.get(curriculum.evaluator)
  for key, value, is_right, want in (
      ("ratio", masking.ratio, 0 < masking.ratio < 1, "between 0 and 1"),
      ("probability", masking.probability, 0 <= masking.probability <= 1,
       "between 0 and 1 (0: found for masking.ratio)"),
      ("mask_share", masking.mask_share, 0 <= masking.mask_share <= 1,
       "between 0 and 1"),
      ("random_share", masking.random_share,
       0 <= masking.random_share <= 1 - masking.mask_share + 1e-9,
       "at most 1 - masking.mask_share"),
      ("count", masking.count, masking.count in uniform.COUNTS, _one_of(uniform.COUNTS)),
      ("round_to", masking.round_to, masking.round_to >= 1, "at least 1"),
      ("slot_quantile", masking.slot_quantile, 0 < masking.slot_quantile <= 1,
       "above 0 and at most 1"),
      ("rank_by", masking.rank_by, masking.rank_by in pmi.RANK_BY, _one_of(pmi.RANK_BY)),
      ("gene_mask_order", masking.gene_mask_order,
       masking.gene_mask_order in gene_mask.ORDERS, _one_of(gene_mask.ORDERS)),
      ("window_sizes", masking.window_sizes,
       all(size >= 2 and size % 2 == 0 for size in masking.window_sizes or (0,)),
       "even numbers from 2 on"),
      ("window_draw", masking.window_draw,
       masking.window_draw in random_window.DRAWS, _one_of(random_window.DRAWS)),
      ("phases.boundaries", phases.boundaries, _increases(phases.boundaries),
       "increasing numbers of steps"),
      ("phases.counts", phases.counts,
       len(phases.counts) == len(phases.boundaries) + 1
       and all(1 <= count <= len(masking.window_sizes) for count in phases.counts),
       "one number of masking.window_sizes for each phase, one phase more than "
       "phases.boundaries"),
      ("phases.probabilities", phases.probabilities,
       len(phases.probabilities) in (0, len(phases.counts)),
       "empty, or one number for each phase"),
      ("rate.boundaries", rate.boundaries, _increases(rate.boundaries),
       "increasing numbers of steps"),
      ("rate.factors", rate.factors,
       len(rate.factors) == len(rate.boundaries) and all(x > 0 for x in rate.factors),
       "one positive number for each of rate.boundaries"),
      ("curriculum.name", curriculum.name, curriculum.name in schedule.CURRICULA,
       _one_of(schedule.CURRICULA)),
      ("curriculum.num_blocks", curriculum.num_blocks, curriculum.num_blocks >= 1,
       "at least 1"),
      ("curriculum.change", curriculum.change, curriculum.change in schedule.CHANGES,
       _one_of(schedule.CHANGES)),
      ("curriculum.threshold", curriculum.threshold, curriculum.threshold > 0,
       "above 0"),
      ("curriculum.evaluator", curriculum.evaluator,
       curriculum.name != "cm_gems"
       or spec is not None and spec.type == "mean_loss" and spec.every_steps > 0,
       "the name of an entry of config.evals with type='mean_loss' and every_steps > 0"),
  ):
    if not is_right:
      raise errors.UserError(f"config.masking.{key}={value!r} must be {want}.")


def _one_of(names):
  return " or ".join(map(repr, names))


def _increases(numbers):
  return list(numbers) == sorted(set(numbers)) and all(x > 0 for x in numbers)
