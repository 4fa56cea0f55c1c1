"""The decoder of a masked autoencoder."""

import flax.linen as nn
import jax.numpy as jnp

from dnajax.models import layers


class Decoder(nn.Module):
  """Encoded tokens back at their places, a mask embedding at the others."""
  spec: layers.Spec
  max_positions: int

  @nn.compact
  def __call__(self, x, masked, *, deterministic):
    """Every position sees every real position, masked ones included.

    Args:
      x: [B, K, D] encoder output in the decoder's width.
      masked: Masked.
      deterministic: no dropout.

    Returns:
      [B, L, D] of the compute dtype.
    """
    mask_embedding = self.param("mask_embedding", layers.kernel("embed"),
                                (self.spec.width,))
    if not masked.is_in_place:
      x = layers.take_slots(x, masked.restore_ids)                 # [B, L, D]
    x = jnp.where(masked.is_absent[..., None], mask_embedding.astype(x.dtype), x)
    x = layers.Inputs(self.spec, self.max_positions, name="inputs")(
        x, None, deterministic=deterministic)
    return layers.Blocks(self.spec, name="blocks")(
        x, masked.pad_mask, deterministic=deterministic)
