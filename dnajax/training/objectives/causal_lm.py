"""Causal language modelling: every token is predicted from those before it."""

import dataclasses

from dnajax.models import predictors


@dataclasses.dataclass(frozen=True)
class CausalLM:
  """A causal encoder and a vocabulary head; needs an encoder that can be causal.

  With overlapping k-mers (tokens.stride below tokens.k) most letters of the next token
  are known: what is left to predict are the last `stride` ones.
  """

  name = "causal_lm"
  hides_tokens = False
  is_causal = True

  def module(self, encoder, tokenizer, heads):
    """The Linen module; arguments as of `masked_lm.MaskedLM.module`."""
    return predictors.make(predictors.CausalLM, encoder, tokenizer, heads, is_causal=True)

  def flops_per_row(self, encoder, tokenizer, *, num_kept, num_scored):
    """As of `masked_lm.MaskedLM.flops_per_row`; all positions count."""
    del num_kept, num_scored
    length = tokenizer.num_tokens
    return (length * encoder.flops_per_token(length)
            + 2 * (length - 1) * encoder.width * tokenizer.vocabulary.num_classes)
