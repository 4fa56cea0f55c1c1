"""Masked autoencoder: an encoder over what is kept, a decoder over all."""

import dataclasses

from dnajax.models import decoder as decoder_lib
from dnajax.models import encoder as encoder_lib
from dnajax.models import layers, masked_lm


class MaskedAutoencoder(encoder_lib.WithEncoder):
  """BarcodeMAE (papers: sections 1.1 and 1.4).

  Encoder over the K slots of a Masked, with the tokens' original positions; a
  linear map to the decoder's width; encoder outputs put back at their places
  and a learned mask embedding at the absent ones; decoder with positions of
  its own; vocabulary head. Nothing is shared between encoder and decoder.

  Left out of the public model, because nothing reads it: the encoder's pooler,
  row 1 of both token-type tables, and all rows but one of the decoder's word
  table (that one is the mask embedding).
  """
  vocab_size: int
  num_classes: int
  max_positions: int
  width: int
  depth: int
  num_heads: int
  mlp_width: int
  decoder_width: int
  decoder_depth: int
  decoder_num_heads: int
  decoder_mlp_width: int
  dropout: float = 0.1
  norm: str = "post"
  dtype: str = "float32"
  attention: str = "explicit"
  remat: str = "none"
  scan_unroll: int = 1

  def setup(self):
    spec = layers.spec_of(self)
    self.encoder = encoder_lib.Encoder(spec, self.vocab_size, self.max_positions)
    self.project = layers.dense(self.decoder_width, ("embed", None),
                                dtype=self.dtype, name=None)
    self.decoder = decoder_lib.Decoder(
        dataclasses.replace(
            spec, width=self.decoder_width, depth=self.decoder_depth,
            num_heads=self.decoder_num_heads, mlp_width=self.decoder_mlp_width),
        self.max_positions)
    self.head = masked_lm.Head(self.num_classes, self.dropout, self.dtype)

  def __call__(self, masked, *, deterministic=True):
    """Masked -> logits [B, M, num_classes] float32 at the scored positions."""
    x = encoder_lib.encode_masked(self.encoder, masked, deterministic=deterministic)
    x = self.project(x)
    x = self.decoder(x, masked, deterministic=deterministic)
    return self.head(x, masked.scored_ids, deterministic=deterministic)
