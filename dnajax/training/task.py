"""What a run trains for, as pure functions: an objective and its losses."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from dnajax.models import types
from dnajax.shell import metric


@dataclasses.dataclass(frozen=True, eq=False)
class Task:
  """What an update computes, and what of it is reported.

  A batch is {"bases": [B, bp] uint8, "labels": {column: [B] int32, -1 = none}}, in
  evaluations also "is_real" [B] bool, False in rows that only fill it up.

  Attributes:
    module: Linen module of the objective.
    tokenizer: tokens.tokenizer.Tokenizer.
    objective: part.
    losses: {name: part}.
    masking: masking.bound.BoundMasking; None where nothing is hidden.
    total_steps: updates of the run.
  """
  module: Any
  tokenizer: Any
  objective: Any
  losses: dict
  masking: Any
  total_steps: int

  @property
  def labels(self):
    """Columns of labels that a batch brings along, a tuple."""
    return tuple(sorted({column for loss in self.losses.values() for column in loss.labels}))

  @property
  def main(self):
    """Name of the loss whose accuracy and perplexity stand for the task.

    One of hidden or next tokens if there is one, else one that says labels; of several
    the heaviest.
    """
    return min(self.losses, key=lambda name: (
        ("tokens", "labels", "").index(self.losses[name].predicts),
        self.losses[name].scores_visible, -self.losses[name].weight, name))

  def with_masking(self, masking):
    """The same task under another BoundMasking."""
    return dataclasses.replace(self, masking=masking)

  def start(self):
    """What the train state remembers for the curriculum; None for nothing."""
    return self.masking.start() if self.masking else None

  def observe(self, name, perplexity, progress, step):
    """That memory after an evaluator; perplexity: what it found, or None."""
    if self.masking is None or perplexity is None:
      return progress
    return self.masking.observe(name, perplexity, progress, step)

  def stage(self, progress, step):
    """(phrase that says how tokens are masked at a step, "" for nothing to say; Metrics)."""
    if self.masking is None:
      return "", []
    text = self.masking.describe(self.total_steps, progress, step)
    return (text and f"masking by {text}",
            self.masking.metrics(self.total_steps, progress, step))

  def init_params(self, key):
    """Random parameters, leaves boxed with logical axis names."""
    return types.init_params(self, key)

  def make_prepare(self):
    """Returns (key, stage_key, batch, state) -> (inputs, scales, counts), pure.

    inputs: models.types.Inputs. scales: {loss name: what its sum is multiplied with},
    of the whole batch, so that its rows may be worked on in parts. counts: sums about
    the masking. state: has `step` and `progress`.
    """
    def prepare(key, stage_key, batch, state):
      token_key, mask_key = jax.random.split(key)
      tokens = self.tokenizer.augmented(token_key, batch["bases"])
      stage = None if self.masking is None else self.masking.stage_at(
          state.step, self.total_steps, state.progress, stage_key)
      is_real = jnp.ones(len(batch["bases"]), bool)
      inputs, counts = self._inputs(mask_key, tokens, batch["labels"], is_real, stage)
      scales = {name: loss.weight_at(state.step) / jnp.maximum(loss.count(inputs), 1)
                for name, loss in self.losses.items()}
      return inputs, scales, counts

    return prepare

  def loss(self, params, inputs, key, scales):
    """(loss, sums) of inputs or of a part of their rows; sums: {"loss name/sum": scalar}."""
    outputs = self.module.apply({"params": params}, inputs, deterministic=False,
                                rngs={"dropout": key})
    sums = self._sums(outputs, inputs, is_training=True)
    return sum(scales[name] * sums[f"{name}/loss"] for name in self.losses), sums

  def metrics(self, sums, batch_size):
    """Metrics of the updates since the last report.

    Args:
      sums: of `loss`, the counts of `prepare` and "updates", added up, floats.
      batch_size: sequences per update.
    """
    found = [one.of("train") for one in self._loss_metrics(sums)
             if one.unit != "count" and one.name.rpartition("/")[2] != "perplexity"]
    return found + (self._masking_metrics(sums, batch_size) if self.masking else [])

  def eval_sums(self, params, batch, key):
    """Sums of the losses over the real rows of a batch, like those of `loss`.

    Without what only helps to learn: smoothed labels, margins, ramps of weights. Tokens
    are read in frame 0 and masked as in the first stage, whatever the step.
    Labels that the batch does not bring count as absent.
    """
    tokens = self.tokenizer(batch["bases"])
    is_real = batch.get("is_real", jnp.ones(len(batch["bases"]), bool))
    absent = jnp.full(len(is_real), -1, jnp.int32)
    labels = {column: jnp.where(is_real, batch.get("labels", {}).get(column, absent), -1)
              for column in self.labels}
    if self.masking is None:
      tokens = tokens.replace(is_maskable=tokens.is_maskable & is_real[:, None])
    inputs, _ = self._inputs(
        key, tokens, labels, is_real, self.masking and self.masking.first_stage())
    if inputs.masked is not None:
      masked = inputs.masked
      inputs = inputs.replace(masked=masked.replace(
          is_selected=masked.is_selected & is_real[:, None],
          is_unselected=masked.is_unselected & is_real[:, None]))
    return self._sums(self.module.apply({"params": params}, inputs), inputs,
                      is_training=False)

  def eval_metrics(self, sums):
    """Metrics of added up `eval_sums`: loss, and what the main loss reports of itself.

    With several losses also what each reports, as "name/metric".
    """
    return self._loss_metrics(sums)

  def predict(self, params, bases):
    """Logits of the losses that say labels, of whole sequences with nothing masked.

    Args:
      params: of the module.
      bases: [B, bp] uint8.

    Returns:
      {loss name: {column: [B, C] float32}}; pure, not compiled.
    """
    tokens = self.tokenizer(bases)
    said = self.module.apply({"params": params}, tokens.ids, tokens.pad_mask,
                             method="label_logits")
    return {name: said[name] for name, loss in self.losses.items()
            if loss.predicts == "labels"}

  def _inputs(self, key, tokens, labels, is_real, stage):
    """(models.types.Inputs, sums about the masking)."""
    rows = dict(bases=tokens.bases, labels=labels, is_real=is_real)
    if self.masking is None:
      return types.Inputs(tokens=tokens, **rows), {}
    masked, counts = self.masking(key, tokens, stage)
    counts = {**counts, "hard": stage.is_hard}
    return (types.Inputs(masked=masked, **rows),
            {f"masking/{name}": jnp.asarray(count, jnp.float32)
             for name, count in counts.items()})

  def _sums(self, outputs, inputs, *, is_training):
    return {f"{name}/{key}": value for name, loss in self.losses.items()
            for key, value in loss.sums(outputs, inputs, name,
                                        is_training=is_training).items()}

  def _loss_metrics(self, sums):
    """The total, what the main loss says beside its loss, and what each of several says.

    The total is of the full weights, whatever their ramps: so it compares along a run.
    """
    of = {name: {key.removeprefix(f"{name}/"): value for key, value in sums.items()
                 if key.startswith(f"{name}/")} for name in self.losses}
    total = sum(loss.weight * of[name]["loss"] / max(of[name]["weight"], 1)
                for name, loss in self.losses.items())
    found = [metric.Metric("loss", total, "nats")]
    found += [one for one in self.losses[self.main].metrics(of[self.main])
              if one.name != "loss"]
    if len(self.losses) > 1:
      found += [one.of(name) for name, loss in self.losses.items()
                for one in loss.metrics(of[name])
                if name != self.main or one.name == "loss"]
    return found

  def _masking_metrics(self, sums, batch_size):
    updates = max(sums["updates"], 1)
    count = lambda name: sums[f"masking/{name}"]
    share = lambda name, of: count(name) / max(count(of), 1)
    values = {"share": share("selected", "maskable"),
              "hidden_share": share("hidden_bases", "covered_bases"),
              "kept_share": share("kept", "tokens")}
    if getattr(self.masking.settings.curriculum, "hard", None) is not None:
      values["hard_share"] = count("hard") / updates
    found = metric.shares(values, is_shown=False)
    # Tokens that found no slot, per sequence.
    found += [metric.Metric(name, count(name) / (updates * batch_size), "", False)
              for name in ("kept_overflow", "scored_overflow")]
    if self.masking.ranks is not None:
      found.append(metric.Metric("mean_pmi_rank", share("rank_sum", "selected")))
    return [one.of("masking") for one in found]
