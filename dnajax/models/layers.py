"""What encoders, decoders and heads are made of: initializers, linear maps, norms."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


def kernel(*axes, std=0.02):
  """Initializer of BERT's matrices and tables, labelled with logical axes."""
  return nn.with_logical_partitioning(nn.initializers.normal(std), axes)


def zeros(*axes):
  """Initializer of biases, labelled."""
  return nn.with_logical_partitioning(nn.initializers.zeros, axes)


def dense(num_out, axes, *, dtype, name):
  """A linear map with bias whose kernel has the two logical `axes`.

  An output axis without a name is that of features, whose kernel has "embed" already.
  """
  return nn.Dense(num_out, dtype=dtype, name=name, dot_general=_matmul,
                  kernel_init=kernel(*axes), bias_init=zeros(axes[1] or "embed"))


def _matmul(x, matrix, dimension_numbers, **kwargs):
  """[B, L, D] times [D, E], as one product of two matrices.

  With three axes XLA transposes the output's gradient in memory before each
  product with it: 4 % of a training step on a CPU.
  """
  del dimension_numbers                            # always the last with the first
  y = jax.lax.dot(x.reshape(-1, x.shape[-1]), matrix, **kwargs)
  return y.reshape(*x.shape[:-1], -1)


class LayerNorm(nn.Module):
  """Normalises the last axis in float32; epsilon as in BERT."""
  dtype: str = "float32"
  epsilon: float = 1e-12

  @nn.compact
  def __call__(self, x: Float[Array, "*rows D"]) -> Float[Array, "*rows D"]:
    """Normalised, of `dtype`."""
    ones = nn.with_logical_partitioning(nn.initializers.ones, ("embed",))
    scale = self.param("scale", ones, x.shape[-1:])
    bias = self.param("bias", zeros("embed"), x.shape[-1:])
    return layer_norm(x, scale, bias, self.epsilon).astype(self.dtype)


# Elementwise functions keep their input for the backward pass and nothing else:
# what automatic differentiation stores of them (four arrays of the inner width
# for one GELU) takes longer to write and read than to compute again.
recompute = functools.partial(jax.checkpoint, prevent_cse=False)


@recompute
def layer_norm(x: Float[Array, "*rows D"], scale: Float[Array, "D"],
               bias: Float[Array, "D"], epsilon) -> Float[Array, "*rows D"]:
  """(x - mean) / sqrt(variance + epsilon) · scale + bias, in float32."""
  x = x.astype(jnp.float32)
  x -= x.mean(axis=-1, keepdims=True)
  variance = jnp.square(x).mean(axis=-1, keepdims=True)
  return x * jax.lax.rsqrt(variance + epsilon) * scale + bias


@recompute
def gelu(x):
  """Exact GELU, x times the normal distribution function.

  By `erf`: `jax.nn.gelu(approximate=False)` goes through `erfc`, which took
  twice as long on a CPU.
  """
  return 0.5 * x * (1 + jax.lax.erf(x * 0.5**0.5))


def unit(x, axis=-1):
  """x / |x| along an axis, any shape; zero stays zero, with a finite gradient."""
  squares = jnp.square(x).sum(axis=axis, keepdims=True)
  return x * jax.lax.rsqrt(jnp.maximum(squares, 1e-24))


def take_rows(table: Float[Array, "N D"], ids: Int[Array, "*rows"]
              ) -> Float[Array, "*rows D"]:
  """Rows of a table, by number."""
  # The whole table on every device, then rows of its own: left to itself the partitioner
  # looks up pieces of all rows and exchanges activations, or gives up and copies them.
  # The first constraint is for the gradient: each device keeps its part of it alone.
  table = nn.with_logical_constraint(table, (None, "embed"))
  table = nn.with_logical_constraint(table, (None, None))
  return jnp.take(table, ids, axis=0, mode="clip")


def word_vectors(table: Float[Array, "V D"], ids: Int[Array, "B K"],
                 is_attended: Bool[Array, "B K"], *, frames,
                 positions: Int[Array, "B K"] | None, is_hidden: Bool[Array, "B K"] | None
                 ) -> Float[Array, "B K D"]:
  """Vectors of tokens: of their ids alone, or of the k-mers of every frame in them.

  With frames: the mean over the words of a token times the square root of their
  number, so that more words are not smaller vectors.

  Args:
    table: a row per id.
    ids: tokens.
    is_attended, positions, is_hidden: as of an encoder; zero where hidden.
    frames: tokens.frames.Frames; None for the ids alone.
  """
  if frames is None:
    x = take_rows(table, ids)
  else:
    words, is_word = frames(ids, seen(is_attended, is_hidden), positions)  # [B, K, S]
    total = sum(jnp.where(is_word[..., s, None], take_rows(table, words[..., s]), 0)
                for s in range(words.shape[-1]))
    x = total * jax.lax.rsqrt(is_word.sum(axis=-1, keepdims=True).astype(jnp.float32))
  return x if is_hidden is None else jnp.where(is_hidden[..., None], 0, x)


def seen(is_attended: Bool[Array, "B K"], is_hidden: Bool[Array, "B K"] | None
         ) -> Bool[Array, "B K"]:
  """Tokens whose letters an encoder may look at."""
  return is_attended if is_hidden is None else is_attended & ~is_hidden


def take_slots(x: Float[Array, "B L D"], ids: Int[Array, "B M"]) -> Float[Array, "B M D"]:
  """Slots of each sequence, by number."""
  return jnp.take_along_axis(x, ids[..., None], axis=1, mode="clip")
