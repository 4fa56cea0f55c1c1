"""Masked language model: an encoder that sees the masked sequence."""

import flax.linen as nn

from dnajax.models import dropout as dropout_lib
from dnajax.models import encoder as encoder_lib
from dnajax.models import layers


class Head(nn.Module):
  """Dropout and a linear map to classes, at the scored positions only."""
  num_classes: int
  dropout: float
  dtype: str

  @nn.compact
  def __call__(self, x, scored_ids, *, deterministic):
    """[B, L, D], [B, M] int -> logits [B, M, num_classes] float32."""
    x = layers.take_slots(x, scored_ids)                           # [B, M, D]
    x = dropout_lib.Dropout(self.dropout)(x, deterministic=deterministic)
    logits = layers.dense(self.num_classes, ("embed", "vocab"), dtype=self.dtype,
                          name="out")(x)
    logits = nn.with_logical_constraint(logits, ("batch", "length", "vocab"))
    return logits.astype("float32")


class MaskedLM(nn.Module):
  """BarcodeBERT: an encoder and a vocabulary head (papers: section 3).

  The k-mer classes leave out the special tokens; the head is not tied to the
  word embeddings.
  """
  vocab_size: int
  num_classes: int
  max_positions: int
  width: int
  depth: int
  num_heads: int
  mlp_width: int
  dropout: float = 0.1
  norm: str = "post"
  dtype: str = "float32"
  attention: str = "explicit"
  remat: str = "none"
  scan_unroll: int = 1

  def setup(self):
    spec = layers.Spec(
        width=self.width, depth=self.depth, num_heads=self.num_heads,
        mlp_width=self.mlp_width, dropout=self.dropout, norm=self.norm,
        dtype=self.dtype, attention=self.attention, remat=self.remat,
        scan_unroll=self.scan_unroll)
    self.encoder = encoder_lib.Encoder(spec, self.vocab_size, self.max_positions)
    self.head = Head(self.num_classes, self.dropout, self.dtype)

  def encode(self, ids, pad_mask, *, deterministic=True):
    """Features of unmasked tokens at positions 0..L-1.

    Args:
      ids: [B, L] int32.
      pad_mask: [B, L] bool, True = real token.
      deterministic: no dropout.

    Returns:
      [B, L, D] of the compute dtype.
    """
    return self.encoder(ids, pad_mask, deterministic=deterministic)

  def __call__(self, masked, *, deterministic=True):
    """Masked -> logits [B, M, num_classes] float32 at the scored positions."""
    if not masked.is_in_place:
      raise ValueError(
          "masked_lm predicts at positions the encoder sees, but this corruption "
          "takes tokens out. Use masking.corruption 'replace' or model.name 'mae'.")
    x = encoder_lib.encode_masked(self.encoder, masked, deterministic=deterministic)
    return self.head(x, masked.scored_ids, deterministic=deterministic)
