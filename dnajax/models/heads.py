"""From features to logits of k-mers at positions; features of whole sequences."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from dnajax.models import dropout as dropout_lib
from dnajax.models import layers


class VocabularyHead(nn.Module):
  """The k-mer at each scored position.

  Attributes:
    num_classes: C.
    dropout: rate before a linear head; a transform has none, as in BERT.
    dtype: of what is multiplied; sums, bias and logits are float32.
    kind: "linear", one linear map to the classes; or "transform", before it a
      linear map D -> D, GELU and LayerNorm (BERT, DNABERT).
  """
  num_classes: int
  dropout: float
  dtype: str
  kind: str = "linear"

  @nn.compact
  def __call__(self, x: Float[Array, "B L D"], scored_ids: Int[Array, "B M"] | None = None,
               *, deterministic, class_rows: Float[Array, "C D"] | None = None
               ) -> Float[Array, "B M C"]:
    """Logits of the k-mer classes.

    Args:
      x: features.
      scored_ids: positions; None for all.
      deterministic: no dropout.
      class_rows: the map to the classes where it is shared with another layer (only a
        bias is then learned here); None for a map of the head's own.

    Returns:
      float32.
    """
    if scored_ids is not None:
      x = layers.take_slots(x, scored_ids)                         # [B, M, D]
    if self.kind == "transform":
      x = layers.dense(x.shape[-1], ("embed", None), dtype=self.dtype,
                       name="transform")(x)
      x = nn.with_logical_constraint(x, ("batch", "length", None))
      x = layers.LayerNorm(self.dtype, name="norm")(layers.gelu(x))
    else:
      x = dropout_lib.Dropout(self.dropout)(x, deterministic=deterministic)
    if class_rows is None:
      logits = ToClasses(self.num_classes, self.dtype, name="out")(x)
    else:
      bias = self.param("bias", layers.zeros("vocab"), (self.num_classes,))
      logits = times_rows(x, class_rows, dtype=self.dtype) + bias
    return nn.with_logical_constraint(logits, ("batch", "length", "vocab"))


class ToClasses(nn.Module):
  """A linear map to C classes: products of `dtype`, everything else float32."""
  num_classes: int
  dtype: str

  @nn.compact
  def __call__(self, x: Float[Array, "B M D"]) -> Float[Array, "B M C"]:
    """float32."""
    kernel = self.param("kernel", layers.kernel("embed", "vocab"),
                        (x.shape[-1], self.num_classes))
    bias = self.param("bias", layers.zeros("vocab"), (self.num_classes,))
    return times_matrix(x, kernel, dtype=self.dtype) + bias


def times_matrix(x: Float[Array, "B M D"], matrix: Float[Array, "D C"], *, dtype
                 ) -> Float[Array, "B M C"]:
  """x · matrix, both rounded to `dtype`, summed in float32."""
  y = _product(x.reshape(-1, x.shape[-1]), matrix, 0, dtype)
  return y.reshape(*x.shape[:-1], -1)


def times_rows(x: Float[Array, "B M D"], rows: Float[Array, "C D"], *, dtype
               ) -> Float[Array, "B M C"]:
  """x · rowsᵀ, both rounded to `dtype`, summed in float32."""
  y = _product(x.reshape(-1, x.shape[-1]), rows, 1, dtype)
  return y.reshape(*x.shape[:-1], -1)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _product(x, matrix, axis, dtype):
  """[N, D] with a matrix whose `axis` has size D -> [N, C] float32."""
  return _dot(x.astype(dtype), matrix.astype(dtype), (1, axis))


def _product_forward(x, matrix, axis, dtype):
  return _product(x, matrix, axis, dtype), (x, matrix)


# Differentiated automatically, both products of the backward pass would multiply in
# float32 what the forward pass multiplied in bfloat16: several times slower.
def _product_backward(axis, dtype, kept, g):
  x, matrix = kept
  rounded, g = x.astype(dtype), g.astype(dtype)                    # [N, D], [N, C]
  of_matrix = _dot(rounded, g, (0, 0)) if axis == 0 else _dot(g, rounded, (0, 0))
  of_x = _dot(g, matrix.astype(dtype), (1, 1 - axis))
  return of_x.astype(x.dtype), of_matrix.astype(matrix.dtype)


_product.defvjp(_product_forward, _product_backward)


def _dot(a, b, axes):
  """The product of two matrices over the given axis of each, summed in float32."""
  over = (((axes[0],), (axes[1],)), ((), ()))
  return jax.lax.dot_general(a, b, over, preferred_element_type=jnp.float32)


def cross_entropy(logits: Float[Array, "*rows C"], classes: Int[Array, "*rows"]
                  ) -> Float[Array, "*rows"]:
  """-log of the probability of the given class, nats."""
  chosen = jnp.take_along_axis(logits, classes[..., None], axis=-1)[..., 0]
  return jax.nn.logsumexp(logits, axis=-1) - chosen


def masked_mean(hidden: Float[Array, "B L D"], pad_mask: Bool[Array, "B L"]
                ) -> Float[Array, "B D"]:
  """Mean over the real tokens of each row; zero for a row without any.

  Args:
    hidden: features.
    pad_mask: True = real token.

  Returns:
    float32.
  """
  is_real = pad_mask[..., None]
  total = jnp.where(is_real, hidden.astype(jnp.float32), 0).sum(axis=1)
  return total / jnp.maximum(is_real.sum(axis=1), 1)
