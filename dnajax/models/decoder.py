"""The decoder of a masked autoencoder."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from dnajax.masking import types
from dnajax.models import blocks, layers


class Decoder(nn.Module):
  """Encoded tokens back at their places, a mask embedding at the others."""
  spec: Any  # encoders.transformer.Transformer

  @nn.compact
  def __call__(self, x: Float[Array, "B K D"], masked: types.Masked, *, deterministic
               ) -> Float[Array, "B L D"]:
    """Every position sees every real position, masked ones included.

    Args:
      x: encoder output in the decoder's width.
      masked: what the encoder saw.
      deterministic: no dropout.

    Returns:
      Of the compute dtype.
    """
    mask_embedding = self.param("mask_embedding", layers.kernel("embed"),
                                (self.spec.width,))
    if not masked.is_in_place:
      x = layers.take_slots(x, masked.restore_ids)                 # [B, L, D]
    x = jnp.where(masked.is_absent[..., None], mask_embedding.astype(x.dtype), x)
    x = blocks.AddPositions(self.spec, name="inputs")(
        x, None, deterministic=deterministic)
    return blocks.Blocks(self.spec, name="blocks")(
        x, masked.pad_mask, deterministic=deterministic)
