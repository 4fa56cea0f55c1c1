"""Cross-entropy of tokens: hidden ones, visible ones, the next one."""

import dataclasses

import jax.numpy as jnp
import numpy as np

from dnajax.shell import metric
from dnajax.training.losses import base


@dataclasses.dataclass(frozen=True, kw_only=True)
class TokenLoss(base.Loss):
  """What losses over predicted tokens have in common; `_counted` says which count."""

  predicts = "tokens"

  def count(self, inputs):
    """How many tokens of a batch count."""
    return self._counted(inputs).sum()

  def sums(self, outputs, inputs, name, *, is_training):
    """loss (nats), weight (tokens that count), correct (most likely class is right)."""
    del name, is_training
    is_counted = self._counted(inputs)                             # [B, M]
    return {"loss": jnp.sum(outputs.nats, where=is_counted),
            "weight": is_counted.sum().astype(jnp.float32),
            "correct": jnp.sum(outputs.is_right, where=is_counted).astype(jnp.float32)}

  def metrics(self, sums):
    """loss (nats per token), perplexity, accuracy, num_tokens; NaN without a token."""
    loss = base.mean(sums, "loss")
    with np.errstate(over="ignore"):
      perplexity = float(np.exp(loss))
    return [metric.Metric("loss", loss, "nats"),
            metric.Metric("perplexity", perplexity),
            metric.Metric("accuracy", base.mean(sums, "correct"), "share"),
            metric.Metric("num_tokens", sums["weight"], "count", False)]


@dataclasses.dataclass(frozen=True, kw_only=True)
class MaskedPrediction(TokenLoss):
  """Cross-entropy at the selected positions (BERT; BarcodeMAE, papers: section 1.3)."""
  name = "masked_prediction"

  def check(self, setup):
    """Something must be hidden."""
    yield from super().check(setup)
    yield from _check_hidden(setup)

  def _counted(self, inputs):
    return inputs.masked.is_selected


@dataclasses.dataclass(frozen=True, kw_only=True)
class VisiblePrediction(TokenLoss):
  """Cross-entropy at the maskable positions that were not selected.

  With weight 1-w beside a masked_prediction of weight w: BarcodeMAE's
  masked_loss_weight (papers: section 1.3; w = .999 in BarcodeMAE+).
  """
  name = "visible_prediction"
  scores_visible = True

  def check(self, setup):
    """Something must be hidden; else all is visible, and nothing to predict."""
    yield from super().check(setup)
    yield from _check_hidden(setup)

  def _counted(self, inputs):
    return inputs.masked.is_unselected


@dataclasses.dataclass(frozen=True, kw_only=True)
class NextToken(TokenLoss):
  """Cross-entropy of every k-mer, given the tokens before it."""
  name = "next_token"

  def check(self, setup):
    """The encoder must not see what is predicted."""
    yield from super().check(setup)
    if setup.objective is not None and not setup.objective.is_causal:
      yield "name", ("'masked_prediction' or a loss of labels: with this "
                     "config.objective the encoder sees the next token")

  def _counted(self, inputs):
    return inputs.tokens.is_maskable[:, 1:]                        # [B, L-1]


def _check_hidden(setup):
  if setup.objective is not None and not setup.objective.hides_tokens:
    yield "name", ("'next_token' or a loss of labels: this config.objective hides no "
                   "tokens")
