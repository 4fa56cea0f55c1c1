"""Masked autoencoding: a decoder predicts what the encoder has not seen."""

import dataclasses

from dnajax.models import predictors


@dataclasses.dataclass(frozen=True)
class MaskedAutoencoder:
  """An encoder over what is kept, a decoder over all positions (BarcodeMAE)."""
  decoder_width: int = 128     # of the decoder
  decoder_depth: int = 3       # blocks
  decoder_num_heads: int = 2   # attention heads; divides decoder_width
  decoder_mlp_width: int = 512  # inner width of its feed-forward layers

  name = "mae"
  hides_tokens = True
  is_causal = False

  def check(self, setup):
    """Sizes that go together."""
    del setup
    for key in ("decoder_width", "decoder_depth", "decoder_mlp_width"):
      if getattr(self, key) < 1:
        yield key, "at least 1"
    if self.decoder_num_heads < 1 or self.decoder_width % self.decoder_num_heads:
      yield "decoder_num_heads", f"a divisor of objective.decoder_width={self.decoder_width}"

  def module(self, encoder, tokenizer, heads):
    """The Linen module; arguments as of `masked_lm.MaskedLM.module`."""
    return predictors.make(predictors.MaskedAutoencoder, encoder, tokenizer, heads,
                           decoder_spec=self._decoder(encoder, tokenizer))

  def flops_per_row(self, encoder, tokenizer, *, num_kept, num_scored):
    """As of `masked_lm.MaskedLM.flops_per_row`."""
    decoder, length = self._decoder(encoder, tokenizer), tokenizer.num_tokens
    return (num_kept * (encoder.flops_per_token(num_kept)
                        + 2 * encoder.width * decoder.width)
            + length * decoder.flops_per_token(length)
            + 2 * num_scored * decoder.width * tokenizer.vocabulary.num_classes)

  def _decoder(self, encoder, tokenizer):
    """Its blocks have the encoder's options."""
    return encoder.stack(
        tokenizer.num_tokens, width=self.decoder_width, depth=self.decoder_depth,
        num_heads=self.decoder_num_heads, mlp_width=self.decoder_mlp_width)
