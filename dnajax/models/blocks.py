"""Transformer blocks as in BERT, and the one helper that repeats them.

`spec` is what says sizes and options of a stack of blocks, everywhere here: an
`encoders.transformer.Transformer`.
"""

import inspect
from typing import Any

import flax.linen as nn
import jax
from jaxtyping import Array, Bool, Float, Int

from dnajax.models import attention, layers
from dnajax.models import dropout as dropout_lib
from dnajax.shell import errors


class FeedForward(nn.Module):
  """Two linear maps with a GELU between them."""
  spec: Any

  @nn.compact
  def __call__(self, x: Float[Array, "B L D"]) -> Float[Array, "B L D"]:
    """Every position by itself."""
    spec = self.spec
    h = layers.dense(spec.mlp_width, ("embed", "mlp"), dtype=spec.dtype, name="up")(x)
    h = nn.with_logical_constraint(layers.gelu(h), ("batch", "length", "mlp"))
    return layers.dense(spec.width, ("mlp", "embed"), dtype=spec.dtype, name="down")(h)


class Block(nn.Module):
  """Attention and feed-forward, each with dropout, residual sum and norm."""
  spec: Any
  is_causal: bool = False

  @nn.compact
  def __call__(self, x: Float[Array, "B L D"], is_attended: Bool[Array, "B L"],
               deterministic):
    """-> ([B, L, D], None), as a scan wants it."""
    spec = self.spec

    def residual(x, branch, name):
      norm = layers.LayerNorm(spec.dtype, name=f"{name}_norm")
      drop = dropout_lib.Dropout(spec.dropout, name=f"{name}_dropout")
      y = branch(norm(x) if spec.norm == "pre" else x)
      x = x + drop(y, deterministic=deterministic)
      return x if spec.norm == "pre" else norm(x)

    attend = attention.SelfAttention(spec, self.is_causal, name="attention")
    x = residual(x, lambda y: attend(y, is_attended, deterministic), "attention")
    x = residual(x, FeedForward(spec, name="feed_forward"), "feed_forward")
    return nn.with_logical_constraint(x, ("batch", "length", None)), None


def stack(block, *, depth, remat="none", unroll=1):
  """A module class that runs `depth` copies of `block`, parameters on axis 0.

  Args:
    block: module class called as (x, is_attended, deterministic) -> (x, None).
    depth: number of copies.
    remat: "none" or one of `remat_policies`.
    unroll: copies per iteration of the loop.
  """
  if remat != "none":
    block = nn.remat(block, prevent_cse=False, static_argnums=(3,),
                     policy=getattr(jax.checkpoint_policies, remat))
  return nn.scan(
      block, length=depth, unroll=min(unroll, depth),
      variable_axes={"params": 0, "intermediates": 0},
      split_rngs={"params": True, "dropout": True},
      in_axes=(nn.broadcast, nn.broadcast),
      metadata_params={nn.PARTITION_NAME: "layers"})


def remat_policies():
  """Names in jax.checkpoint_policies that are policies, a tuple.

  The others there make a policy of arguments and are none themselves. A policy is
  called with the parameters of a primitive, whatever they are.
  """
  takes_any = lambda policy: any(
      parameter.kind is parameter.VAR_KEYWORD
      for parameter in inspect.signature(policy).parameters.values())
  return tuple(name for name, policy in sorted(vars(jax.checkpoint_policies).items())
               if callable(policy) and not name.startswith("_") and takes_any(policy))


class Blocks(nn.Module):
  """All blocks of an encoder or a decoder."""
  spec: Any
  is_causal: bool = False

  @nn.compact
  def __call__(self, x: Float[Array, "B L D"], is_attended: Bool[Array, "B L"], *,
               deterministic) -> Float[Array, "B L D"]:
    """Finite also in rows where nothing is attended."""
    spec = self.spec
    # A row without anything to attend to attends to everything: its output
    # means nothing, but every implementation of attention keeps it finite.
    is_attended = is_attended | ~is_attended.any(axis=1, keepdims=True)
    repeated = stack(Block, depth=spec.depth, remat=spec.remat, unroll=spec.scan_unroll)
    x, _ = repeated(spec, self.is_causal, name="layers")(x, is_attended, deterministic)
    return layers.LayerNorm(spec.dtype, name="final_norm")(x) if spec.norm == "pre" else x


class AddPositions(nn.Module):
  """What BERT does to word vectors before the first block.

  Only row 0 of a token-type table is ever used here, so it is one vector.
  """
  spec: Any

  @nn.compact
  def __call__(self, x: Float[Array, "B L D"], positions: Int[Array, "B L"] | None, *,
               deterministic) -> Float[Array, "B L D"]:
    """Adds position and type, normalises, drops.

    Args:
      x: word vectors.
      positions: None for 0..L-1.
      deterministic: no dropout.

    Returns:
      Of the compute dtype.

    Raises:
      UserError: there are more tokens than positions.
    """
    num_positions = self.spec.max_positions
    table = self.param("position", layers.kernel("positions", "embed"),
                       (num_positions, self.spec.width))
    token_type = self.param("token_type", layers.kernel("embed"), (self.spec.width,))
    if x.shape[1] > num_positions:
      raise errors.UserError(
          f"{x.shape[1]} tokens are more than config.encoder.max_positions={num_positions}. "
          "Lower the number of base pairs that are read (config.data.max_length), or train "
          "with more positions.")
    place = table[:x.shape[1]] if positions is None else layers.take_rows(table, positions)
    x = layers.LayerNorm(self.spec.dtype, name="norm")(x + place + token_type)
    return dropout_lib.Dropout(self.spec.dropout)(x, deterministic=deterministic)
