"""Masked language modelling: hidden tokens are predicted where the encoder sees them."""

import dataclasses
from typing import Literal

from dnajax.models import predictors


@dataclasses.dataclass(frozen=True)
class MaskedLM:
  """An encoder over the masked sequence and a vocabulary head (BERT, BarcodeBERT)."""
  head: Literal["linear", "transform"] = "linear"  # transform: a layer before, as in BERT
  tie_embeddings: bool = False  # the map to the k-mers is the table of word vectors

  name = "masked_lm"
  hides_tokens = True
  is_causal = False

  def check(self, setup):
    """A token that was taken out has no place to be predicted at."""
    if setup.masking is not None and setup.masking.corruption.takes_out:
      yield "name", ("'mae' where config.masking.corruption.name='drop' takes the selected "
                     "tokens out: masked_lm has no decoder to predict them with; or use "
                     "corruption 'replace' or 'hide'")

  def module(self, encoder, tokenizer, heads):
    """The Linen module.

    Args:
      encoder: encoder part.
      tokenizer: tokens.tokenizer.Tokenizer.
      heads: {loss name: module or None}.
    """
    return predictors.make(predictors.MaskedLM, encoder, tokenizer, heads,
                           head=self.head, tie_embeddings=self.tie_embeddings)

  def flops_per_row(self, encoder, tokenizer, *, num_kept, num_scored):
    """Floating-point operations of the forward pass for one sequence.

    Args:
      encoder: encoder part.
      tokenizer: tokens.tokenizer.Tokenizer.
      num_kept: K, slots of the encoder.
      num_scored: M, positions that are predicted.
    """
    transform = encoder.width if self.head == "transform" else 0
    return (num_kept * encoder.flops_per_token(num_kept)
            + 2 * num_scored * encoder.width * (tokenizer.vocabulary.num_classes + transform))
