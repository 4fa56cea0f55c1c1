"""Attention of every token to the others of its row."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from dnajax.models import dropout as dropout_lib
from dnajax.models import layers


class SelfAttention(nn.Module):
  """Multi-head attention of every token to the attended tokens of its row.

  With `is_causal` only to those that do not stand behind it.
  """
  spec: Any
  is_causal: bool = False

  @nn.compact
  def __call__(self, x: Float[Array, "B L D"], is_attended: Bool[Array, "B L"],
               deterministic) -> Float[Array, "B L D"]:
    """Finite also in rows where nothing is attended."""
    spec = self.spec
    split = (*x.shape[:2], spec.num_heads, spec.width // spec.num_heads)

    def project(name):
      y = layers.dense(spec.width, ("embed", "heads"), dtype=spec.dtype, name=name)(x)
      return nn.with_logical_constraint(
          y.reshape(split), ("batch", "length", "heads", None))   # [B, L, H, D/H]

    q, k, v = project("query"), project("key"), project("value")
    # Only `apply(..., mutable="intermediates")` asks for them; they are then computed
    # beside the product, whatever its implementation.
    if self.is_mutable_collection("intermediates"):
      self.sow("intermediates", "attention",
               probabilities(q, k, is_attended, is_causal=self.is_causal))
    if spec.attention == "explicit":
      has_dropout = spec.dropout and not deterministic
      y = attend(q, k, v, is_attended, is_causal=self.is_causal, dropout=spec.dropout,
                 key=self.make_rng("dropout") if has_dropout else None)
    else:
      y = jax.nn.dot_product_attention(
          q, k, v, mask=is_attended[:, None, None, :], is_causal=self.is_causal,
          implementation=spec.attention)
    return layers.dense(spec.width, ("heads", "embed"), dtype=spec.dtype,
                        name="out")(y.reshape(x.shape))


def attend(q: Float[Array, "B L H E"], k: Float[Array, "B L H E"],
           v: Float[Array, "B L H E"], is_attended: Bool[Array, "B L"], *,
           is_causal=False, dropout=0.0, key=None) -> Float[Array, "B L H E"]:
  """Softmax attention, written out.

  Args:
    q, k, v: queries, keys and values; E = D/H.
    is_attended: which keys.
    is_causal: no query looks at a key behind it.
    dropout: rate at which probabilities are dropped.
    key: PRNG key, consumed; None for no dropout.

  Returns:
    Of v's dtype.
  """
  @layers.recompute
  def dropped(scores, key):
    p = _softmax(scores, is_attended, q.shape[-1], is_causal)
    return dropout_lib.drop(key, p, rate=dropout).astype(v.dtype)

  # Heads in front once, instead of inside each of the products forward and
  # backward: 0.7 of the time on a CPU.
  q, k, v = (a.swapaxes(1, 2) for a in (q, k, v))                 # [B, H, L, D/H]
  p = dropped(_scores(q, k), key)
  return jnp.einsum("bhqk,bhkd->bhqd", p, v).swapaxes(1, 2)


def probabilities(q: Float[Array, "B L H E"], k: Float[Array, "B L H E"],
                  is_attended: Bool[Array, "B L"], *, is_causal=False
                  ) -> Float[Array, "B H L L"]:
  """How much each query attends to each key, without dropout.

  Args:
    q, k: queries and keys; E = D/H.
    is_attended: which keys.
    is_causal: no query looks at a key behind it.

  Returns:
    float32; the last axis sums to 1, zeros where not attended.
  """
  q, k = (a.swapaxes(1, 2) for a in (q, k))                       # [B, H, L, D/H]
  return _softmax(_scores(q, k), is_attended, q.shape[-1], is_causal)


def _scores(q, k):
  """[B, H, L, D/H], the same -> [B, H, L, L] float32."""
  return jnp.einsum("bhqd,bhkd->bhqk", q, k, preferred_element_type=jnp.float32)


def _softmax(scores, is_attended, head_dim, is_causal):
  """[B, H, L, L], [B, L] bool -> probabilities [B, H, L, L]."""
  can_see = is_attended[:, None, None, :]
  if is_causal:
    can_see &= jnp.tril(jnp.ones(scores.shape[-2:], bool))
  bias = jnp.where(can_see, 0.0, -1e9)
  return jax.nn.softmax(scores * head_dim**-0.5 + bias, axis=-1)
