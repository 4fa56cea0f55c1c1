"""A convolutional encoder: the supervised baseline of the barcode papers.

BarcodeBERT and BIOSCAN-5M compare with a small convolutional network (papers:
section 9.1); its sizes are not published with the numbers. This one has residual
blocks of dilated convolutions.
"""

import dataclasses
from typing import Any, Literal

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from dnajax.models import dropout as dropout_lib
from dnajax.models import layers
from dnajax.models.encoders import transformer


@dataclasses.dataclass(frozen=True)
class Conv:
  """Residual dilated 1-D convolutions over word vectors; no positions, no attention."""
  width: int = 128            # D
  depth: int = 4              # blocks
  kernel_size: int = 3        # tokens that a convolution looks at; odd
  dilations: tuple[int, ...] = (1, 2, 4, 8)  # tokens from one to the next, block by block
  mlp_width: int = 256        # channels that a convolution makes
  dropout: float = 0.1        # of word vectors and residual branches
  dtype: Literal["float32", "bfloat16"] = "float32"  # of activations and products

  name = "conv"
  reads_frames = True    # takes `frames`, see Transformer.module
  sees_gaps = False      # neighbours are those in the array: a gap would close
  can_be_causal = False
  has_attention = False
  free = ("dropout", "dtype")  # see Transformer

  def check(self, setup):
    """Sizes, and what convolutions cannot work with."""
    yield from transformer.check_sizes(self, ("width", "depth", "mlp_width"))
    if self.kernel_size < 1 or self.kernel_size % 2 == 0:
      yield "kernel_size", "odd, and at least 1"
    if not self.dilations or min(self.dilations) < 1:
      yield "dilations", "numbers of at least 1, one or more"
    if setup.masking is not None and setup.masking.corruption.takes_out:
      yield "name", ("'transformer' where config.masking.corruption.name='drop' takes "
                     "tokens out: a convolution would take those on both sides of a gap "
                     "for neighbours; or use corruption 'hide' or 'replace'")
    if setup.objective is not None and setup.objective.is_causal:
      yield "name", ("'transformer' where tokens are predicted from those before them "
                     "(config.objective): a convolution here looks to both sides")

  def module(self, vocab_size, *, frames=None, is_causal=False):
    """The Linen module; arguments as of Transformer."""
    if is_causal:
      raise ValueError("A conv encoder looks to both sides.")
    return ConvEncoder(self, vocab_size, frames)

  def stack(self, num_tokens, **changes):
    """The Transformer of a decoder, with these options and other sizes."""
    return transformer.behind(num_tokens, dropout=self.dropout, dtype=self.dtype, **changes)

  def flops_per_token(self, num_tokens):
    """Floating-point operations of the forward pass, per token: 2 per weight."""
    del num_tokens
    return float(self.depth * 2 * (self.kernel_size + 1) * self.width * self.mlp_width)


class ConvEncoder(nn.Module):
  """Word vectors, residual convolutions, one last norm."""
  spec: Any        # Conv
  vocab_size: int  # V
  frames: Any = None  # tokens.frames.Frames, or the ids alone

  @nn.compact
  def __call__(self, ids: Int[Array, "B K"], is_attended: Bool[Array, "B K"], *,
               positions: Int[Array, "B K"] | None = None,
               is_hidden: Bool[Array, "B K"] | None = None,
               deterministic=True) -> Float[Array, "B K D"]:
    """Token ids to features.

    Args:
      ids: tokens.
      is_attended: the others influence no other token; they are zeros to their
        neighbours, as what lies beyond the ends of a row is.
      positions: None; neighbours are those in the array.
      is_hidden: word embedding set to zero; None for nowhere.
      deterministic: no dropout.

    Returns:
      Of the compute dtype.
    """
    if positions is not None:
      raise ValueError("A conv encoder does not see gaps between the tokens it is given.")
    spec = self.spec
    table = self.param("word", layers.kernel("words", "embed"),
                       (self.vocab_size, spec.width))
    x = layers.word_vectors(table, ids, is_attended, frames=self.frames,
                            positions=None, is_hidden=is_hidden)
    x = x.astype(spec.dtype)                                       # [B, K, D]
    x = dropout_lib.Dropout(spec.dropout)(x, deterministic=deterministic)
    for i in range(spec.depth):
      dilation = spec.dilations[i % len(spec.dilations)]
      x = ConvBlock(spec, dilation, name=f"block_{i}")(x, is_attended, deterministic)
    return layers.LayerNorm(spec.dtype, name="final_norm")(x)


class ConvBlock(nn.Module):
  """Norm, convolution, GELU, a linear map back to the width; added to what came in."""
  spec: Any
  dilation: int

  @nn.compact
  def __call__(self, x: Float[Array, "B K D"], is_attended: Bool[Array, "B K"],
               deterministic) -> Float[Array, "B K D"]:
    """Tokens that are not attended are read as zeros."""
    spec = self.spec
    y = layers.LayerNorm(spec.dtype, name="norm")(x)
    y = jnp.where(is_attended[..., None], y, 0)
    # One product of two matrices; its kernel is [kernel_size · D, F].
    y = around(y, size=spec.kernel_size, dilation=self.dilation)
    y = layers.dense(spec.mlp_width, ("embed", "mlp"), dtype=spec.dtype, name="up")(y)
    y = nn.with_logical_constraint(layers.gelu(y), ("batch", "length", "mlp"))
    y = layers.dense(spec.width, ("mlp", "embed"), dtype=spec.dtype, name="down")(y)
    y = dropout_lib.Dropout(spec.dropout)(y, deterministic=deterministic)
    return nn.with_logical_constraint(x + y, ("batch", "length", None))


def around(x: Float[Array, "B K D"], *, size, dilation) -> Float[Array, "B K E"]:
  """Beside every position those around it, zeros beyond the ends.

  Args:
    x: features.
    size: number of positions, odd, static.
    dilation: from one to the next, static.

  Returns:
    E = size · D, from the leftmost position to the rightmost.
  """
  reach = size // 2 * dilation
  padded = jnp.pad(x, ((0, 0), (reach, reach), (0, 0)))
  return jnp.concatenate(
      [padded[:, i * dilation:i * dilation + x.shape[1]] for i in range(size)], axis=-1)
