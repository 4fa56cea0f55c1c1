"""Fine-tuning: only labels are predicted."""

import dataclasses

from dnajax.models import predictors


@dataclasses.dataclass(frozen=True)
class Classifier:
  """An encoder over whole sequences, and the heads of the losses with labels."""

  name = "classifier"
  hides_tokens = False
  is_causal = False

  def module(self, encoder, tokenizer, heads):
    """The Linen module; arguments as of `masked_lm.MaskedLM.module`."""
    return predictors.make(predictors.Classifier, encoder, tokenizer, heads)

  def flops_per_row(self, encoder, tokenizer, *, num_kept, num_scored):
    """As of `masked_lm.MaskedLM.flops_per_row`; heads do not count."""
    del num_kept, num_scored
    return tokenizer.num_tokens * encoder.flops_per_token(tokenizer.num_tokens)
