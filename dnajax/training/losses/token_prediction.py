"""Cross-entropy of tokens: hidden ones, visible ones, the next one."""

import dataclasses

import jax.numpy as jnp
import numpy as np

from dnajax.shell import metric


class TokenLoss:
  """What losses over predicted tokens have in common; `_counted` says which count."""

  labels = ()              # columns of labels that a loss reads
  scores_visible = False   # whether tokens that were not selected are to be predicted too

  def head(self, num_labels, *, width):
    """None: no parameters of its own."""
    del num_labels, width

  def count(self, inputs):
    """How many tokens of a batch count."""
    return self._counted(inputs).sum()

  def sums(self, outputs, inputs, name, *, num_special):
    """Sums over a batch, or over a part of its rows.

    Args:
      outputs: models.types.Outputs.
      inputs: models.types.Inputs.
      name: of this loss in config.losses.
      num_special: ids below this one are no k-mers.

    Returns:
      loss (nats), weight (tokens that count), correct (those whose most likely class is
      right), float32 scalars.
    """
    del name, num_special
    is_counted = self._counted(inputs)                             # [B, M]
    return {"loss": jnp.sum(outputs.nats, where=is_counted),
            "weight": is_counted.sum().astype(jnp.float32),
            "correct": jnp.sum(outputs.is_right, where=is_counted).astype(jnp.float32)}

  def metrics(self, sums):
    """loss (nats per token), perplexity, accuracy, num_tokens; NaN without a token.

    Args:
      sums: what `sums` returns, floats.
    """
    loss = mean(sums, "loss")
    with np.errstate(over="ignore"):
      perplexity = float(np.exp(loss))
    return [metric.Metric("loss", loss, "nats"),
            metric.Metric("perplexity", perplexity),
            metric.Metric("accuracy", mean(sums, "correct"), "share"),
            metric.Metric("num_tokens", sums["weight"], "count", False)]


@dataclasses.dataclass(frozen=True)
class MaskedPrediction(TokenLoss):
  """Cross-entropy at the selected positions (BERT; BarcodeMAE, papers: section 1.3)."""
  weight: float = 1.0  # of its mean in the total loss

  name = "masked_prediction"

  def check(self, setup):
    """Something must be hidden."""
    yield from check_weight(self)
    yield from _check_hidden(setup)

  def _counted(self, inputs):
    return inputs.masked.is_selected


@dataclasses.dataclass(frozen=True)
class VisiblePrediction(TokenLoss):
  """Cross-entropy at the maskable positions that were not selected.

  With weight 1-w beside a masked_prediction of weight w: BarcodeMAE's
  masked_loss_weight (papers: section 1.3; w = .999 in BarcodeMAE+).
  """
  weight: float = 1.0  # of its mean in the total loss

  name = "visible_prediction"
  scores_visible = True

  def check(self, setup):
    """Something must be hidden; else all is visible, and nothing to predict."""
    yield from check_weight(self)
    yield from _check_hidden(setup)

  def _counted(self, inputs):
    return inputs.masked.is_unselected


@dataclasses.dataclass(frozen=True)
class NextToken(TokenLoss):
  """Cross-entropy of every k-mer, given the tokens before it."""
  weight: float = 1.0  # of its mean in the total loss

  name = "next_token"

  def check(self, setup):
    """The encoder must not see what is predicted."""
    yield from check_weight(self)
    if setup.objective is not None and not setup.objective.is_causal:
      yield "name", ("'masked_prediction' or a loss of labels: with this "
                     "config.objective the encoder sees the next token")

  def _counted(self, inputs):
    return inputs.tokens.is_maskable[:, 1:]                        # [B, L-1]


def check_weight(loss):
  """Yields a weight that is not positive."""
  if not loss.weight > 0:
    yield "weight", "above 0; leave a loss out to do without it"


def mean(sums, name):
  """The mean that a sum and its "weight" give, a float; NaN over nothing."""
  return sums[name] / sums["weight"] if sums["weight"] else float("nan")


def _check_hidden(setup):
  if setup.objective is not None and not setup.objective.hides_tokens:
    yield "name", ("'next_token' or a loss of labels: this config.objective hides no "
                   "tokens")
