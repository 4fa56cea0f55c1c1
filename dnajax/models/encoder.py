"""The encoder: word embeddings, positions, blocks, pooling."""

import flax.linen as nn
import jax.numpy as jnp

from dnajax.models import layers


class Encoder(nn.Module):
  """BERT without its pooler."""
  spec: layers.Spec
  vocab_size: int
  max_positions: int

  @nn.compact
  def __call__(self, ids, is_attended, *, positions=None, is_hidden=None,
               deterministic=True):
    """Token ids to features.

    Args:
      ids: [B, K] int32.
      is_attended: [B, K] bool; the others influence no other token.
      positions: [B, K] int32, or None for 0..K-1.
      is_hidden: [B, K] bool, word embedding set to zero; None for nowhere.
      deterministic: no dropout.

    Returns:
      [B, K, D] of the compute dtype.
    """
    table = self.param("word", layers.kernel("words", "embed"),
                       (self.vocab_size, self.spec.width))
    x = layers.take_rows(table, ids)                               # [B, K, D]
    if is_hidden is not None:
      x = jnp.where(is_hidden[..., None], 0, x)
    x = layers.Inputs(self.spec, self.max_positions, name="inputs")(
        x, positions, deterministic=deterministic)
    return layers.Blocks(self.spec, name="blocks")(
        x, is_attended, deterministic=deterministic)


class WithEncoder(nn.Module):
  """A model whose `setup` makes `self.encoder`."""

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


def encode_masked(encoder, masked, *, deterministic):
  """What `encoder` makes of a Masked: [B, K, D]."""
  return encoder(
      masked.encoder_ids, masked.is_attended, is_hidden=masked.is_hidden,
      positions=None if masked.is_in_place else masked.encoder_positions,
      deterministic=deterministic)


def masked_mean(hidden, pad_mask):
  """Mean over the real tokens of each row; zero for a row without any.

  Args:
    hidden: [B, L, D].
    pad_mask: [B, L] bool, True = real token.

  Returns:
    [B, D] float32.
  """
  is_real = pad_mask[..., None]
  total = jnp.where(is_real, hidden.astype(jnp.float32), 0).sum(axis=1)
  return total / jnp.maximum(is_real.sum(axis=1), 1)
