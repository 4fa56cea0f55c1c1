"""Pretraining: tokens are hidden from the encoder and predicted."""

import dataclasses

import jax
import jax.numpy as jnp

from dnajax import registry
from dnajax.masking import coverage, pmi, rate, schedule, strategy
from dnajax.tokens import kmers
from dnajax.training import losses


class MaskedPrediction:
  """What an update of pretraining computes; see `tasks.Task`."""

  sum_names = ("selected_loss", "unselected_loss", "selected", "unselected",
               "correct", "tokens", "maskable", "masked_out", "kept",
               "kept_overflow", "scored_overflow", "hidden_bases", "covered_bases",
               "rank_sum", "hard_updates", "grad_norm", "updates")
  label = None
  resolve = staticmethod(rate.resolve)

  def __init__(self, model, config, derived):
    self._model, self._config, self._derived = model, config, derived

  def begin(self, state, config, sharding):
    """The state as it was made."""
    del sharding
    return state, f"random, seed {config.seed}"

  def start(self):
    """Progress of the curriculum before the first update."""
    return schedule.start(self._derived.masking)

  def observe(self, name, values, progress, step):
    """Progress after an evaluation; only the curriculum's evaluator changes it."""
    curriculum = self._config.masking.curriculum
    if progress is None or name != curriculum.evaluator:
      return progress
    return schedule.observe(curriculum, progress, step, values[f"{name}/perplexity"])

  def stage(self, progress, step):
    """(phrase that says how tokens are masked at a step, values of a row)."""
    stage = (self._config.masking, self._config.total_steps, progress, step)
    text = schedule.describe(*stage)
    return text and f"masking by {text}", schedule.metrics(*stage)

  def init_params(self, key):
    """Random parameters, leaves boxed with logical axis names."""
    # Only shapes matter here: no PMI table is needed to know them.
    plain = self._derived.masking.copy_and_resolve_references()
    plain.selection, plain.curriculum.name, plain.pmi_table = "uniform", "none", ""
    derived = dataclasses.replace(self._derived, masking=plain)
    bases = jnp.zeros((1, derived.read_length), jnp.uint8)
    masked, _ = make_masking(self._config, derived)(key, bases, schedule.first_stage())
    return self._model.init(key, masked)["params"]

  def make_prepare(self):
    """Returns (key, stage key, batch, state) -> (Masked, scales of the losses, counts)."""
    mask = make_masking(self._config, self._derived)
    weight = self._config.loss.masked_loss_weight

    def prepare(key, stage_key, batch, state):
      stage = schedule.stage_at(self._derived.masking, self._config.total_steps,
                                state.progress, state.step, stage_key)
      masked, counts = mask(key, batch["bases"], stage)
      scales = (weight / jnp.maximum(masked.is_selected.sum(), 1),
                (1 - weight) / jnp.maximum(masked.is_unselected.sum(), 1))
      counts["masked_out"] = counts.pop("selected")
      counts["hard_updates"] = stage.is_hard.astype(jnp.float32)
      return masked, scales, counts

    return prepare

  def loss(self, params, masked, key, scales):
    """(loss, sums) of a Masked or of a part of its rows."""
    logits = self._model.apply({"params": params}, masked, deterministic=False,
                               rngs={"dropout": key})
    sums = losses.masked_cross_entropy(
        logits, masked, num_special=self._derived.vocabulary.num_special)
    return (scales[0] * sums["selected_loss"]
            + scales[1] * sums["unselected_loss"]), sums

  def values(self, sums):
    """Sums since the last report -> values of a row of metrics.jsonl."""
    updates = max(sums["updates"], 1)
    rows = updates * self._config.batch_size
    masking = self._config.masking
    values = {
        "train/loss": losses.combine(sums, self._config.loss.masked_loss_weight),
        "train/accuracy": sums["correct"] / max(sums["selected"], 1),
        "masking/share": sums["masked_out"] / max(sums["maskable"], 1),
        "masking/hidden_share":
            sums["hidden_bases"] / max(sums["covered_bases"], 1),
        "masking/kept_share": sums["kept"] / max(sums["tokens"], 1),
        "masking/kept_overflow": sums["kept_overflow"] / rows,
        "masking/scored_overflow": sums["scored_overflow"] / rows}
    if masking.pmi_table:
      values["masking/mean_pmi_rank"] = sums["rank_sum"] / max(sums["masked_out"], 1)
    if masking.curriculum.name != "none":
      values["masking/hard_share"] = sums["hard_updates"] / updates
    return values


def make_masking(config, derived, *, is_training=True):
  """Returns (key, bases [B, bp] uint8, stage) -> (Masked, counts), pure.

  Training reads a row from the other strand with the chance
  config.tokens.reverse_complement and shifts the frame by 0..k-1 bases if
  config.tokens.random_offset; evaluation does neither. All draws belong to
  (key, row): they depend neither on the mesh nor on the number of processes.
  """
  masking = derived.masking
  ranks = strategy.load_ranks(masking, config.data, derived.vocabulary)
  select = strategy.make(masking, derived.vocabulary, ranks)
  corrupt = registry.corruption(masking.corruption)

  def mask(key, bases, stage):
    offset_key, select_key, corrupt_key, strand_key = jax.random.split(key, 4)
    if is_training and derived.reverse_complement:
      bases = kmers.randomly_reverse_complement(
          strand_key, bases, probability=derived.reverse_complement)
    offset = None
    if is_training and config.tokens.random_offset:
      offset = jax.random.randint(offset_key, bases.shape[:1], 0,
                                  derived.vocabulary.k)
    tokens = kmers.tokenize(
        bases, vocabulary=derived.vocabulary, stride=config.tokens.stride,
        offset=offset, length=config.data.max_length)
    is_selected = select(select_key, tokens.ids, tokens.is_maskable, stage)
    masked, counts = corrupt(
        corrupt_key, tokens, is_selected, vocabulary=derived.vocabulary,
        num_kept=derived.num_kept, num_scored=derived.num_scored,
        mask_share=masking.mask_share, random_share=masking.random_share,
        score_unselected=config.loss.masked_loss_weight < 1)
    hidden, covered = coverage.hidden_bases(
        is_selected, tokens.is_maskable, k=derived.vocabulary.k,
        stride=config.tokens.stride, num_leading=int(derived.vocabulary.add_cls))
    rank_sum = jnp.zeros(())
    if ranks is not None:
      rank_sum = jnp.where(is_selected, pmi.token_ranks(ranks, tokens.ids), 0).sum(
          dtype=jnp.float32)
    return masked, {**counts, "hidden_bases": hidden, "covered_bases": covered,
                    "rank_sum": rank_sum}

  return mask


def make_eval_sums(model, config, derived):
  """Returns (params, batch, key) -> sums of `losses.masked_cross_entropy`.

  batch has "bases" [B, bp] and "is_real" [B]; rows that are not real count
  nothing. The masking is that of training in its first stage, whatever the step,
  and the frame is not shifted.
  """
  mask = make_masking(config, derived, is_training=False)

  def eval_sums(params, batch, key):
    masked, _ = mask(key, batch["bases"][:, :config.data.max_length],
                     schedule.first_stage())
    is_real = batch["is_real"][:, None]
    masked = masked.replace(is_selected=masked.is_selected & is_real,
                            is_unselected=masked.is_unselected & is_real)
    logits = model.apply({"params": params}, masked, deterministic=True)
    return losses.masked_cross_entropy(
        logits, masked, num_special=derived.vocabulary.num_special)

  return eval_sums
