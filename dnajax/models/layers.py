"""Transformer blocks as in BERT, and the one helper that repeats them."""

import dataclasses
import functools

import flax.linen as nn
import jax
import jax.numpy as jnp

from dnajax.models import dropout as dropout_lib

NORMS = ("post", "pre")
ATTENTIONS = ("explicit", "xla", "cudnn")
DTYPES = ("float32", "bfloat16")


@dataclasses.dataclass(frozen=True)
class Spec:
  """Sizes and options of one stack of blocks.

  Attributes:
    width: D.
    depth: number of blocks.
    num_heads: H, divides D.
    mlp_width: inner width of the feed-forward layers.
    dropout: rate, of residual branches and attention probabilities.
    norm: "post" (BERT: after the residual sum) or "pre" (before each branch,
      and once more after the last block).
    dtype: of activations and matrix products; parameters, normalisation and
      softmax are float32.
    attention: "explicit", or an implementation of jax.nn.dot_product_attention
      ("xla", "cudnn"), which has no dropout of attention probabilities.
    remat: "none" or a name in jax.checkpoint_policies.
    scan_unroll: blocks per iteration of the loop over depth; from `depth` on
      there is no loop: slower to compile, faster to run on a CPU.
  """
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

  def __post_init__(self):
    for field, known in (("norm", NORMS), ("attention", ATTENTIONS), ("dtype", DTYPES)):
      if getattr(self, field) not in known:
        raise ValueError(f"model.{field}={getattr(self, field)!r} is not known. "
                         f"Known: {', '.join(known)}.")
    if self.remat != "none" and not hasattr(jax.checkpoint_policies, self.remat):
      names = sorted(n for n in dir(jax.checkpoint_policies) if not n.startswith("_"))
      raise ValueError(f"model.remat={self.remat!r} is not known. Known: none, {', '.join(names)}.")
    if self.width % self.num_heads:
      raise ValueError(f"Width {self.width} does not divide into {self.num_heads} heads.")


def spec_of(module):
  """The Spec of a module that has all of its fields."""
  return Spec(**{field.name: getattr(module, field.name)
                 for field in dataclasses.fields(Spec)})


def kernel(*axes):
  """Initializer of BERT's matrices and tables, labelled with logical axes."""
  return nn.with_logical_partitioning(nn.initializers.normal(0.02), axes)


def zeros(*axes):
  """Initializer of biases, labelled."""
  return nn.with_logical_partitioning(nn.initializers.zeros, axes)


def dense(num_out, axes, *, dtype, name):
  """A linear map with bias whose kernel has the two logical `axes`."""
  return nn.Dense(num_out, dtype=dtype, name=name, dot_general=_matmul,
                  kernel_init=kernel(*axes), bias_init=zeros(axes[1]))


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
  def __call__(self, x):
    """[..., D] -> [..., D] of `dtype`."""
    ones = nn.with_logical_partitioning(nn.initializers.ones, ("embed",))
    scale = self.param("scale", ones, x.shape[-1:])
    bias = self.param("bias", zeros("embed"), x.shape[-1:])
    return layer_norm(x, scale, bias, self.epsilon).astype(self.dtype)


# Elementwise functions keep their input for the backward pass and nothing else:
# what automatic differentiation stores of them (four arrays of the inner width
# for one GELU) takes longer to write and read than to compute again.
recompute = functools.partial(jax.checkpoint, prevent_cse=False)


@recompute
def layer_norm(x, scale, bias, epsilon):
  """[..., D] with scale and bias [D] -> [..., D] float32."""
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


class FeedForward(nn.Module):
  """Two linear maps with a GELU between them."""
  spec: Spec

  @nn.compact
  def __call__(self, x):
    """[B, L, D] -> [B, L, D]."""
    spec = self.spec
    h = dense(spec.mlp_width, ("embed", "mlp"), dtype=spec.dtype, name="up")(x)
    h = nn.with_logical_constraint(gelu(h), ("batch", "length", "mlp"))
    return dense(spec.width, ("mlp", "embed"), dtype=spec.dtype, name="down")(h)


class SelfAttention(nn.Module):
  """Multi-head attention of every token to the attended tokens of its row."""
  spec: Spec

  @nn.compact
  def __call__(self, x, is_attended, deterministic):
    """[B, L, D], [B, L] bool -> [B, L, D]."""
    spec = self.spec
    split = (*x.shape[:2], spec.num_heads, spec.width // spec.num_heads)

    def project(name):
      y = dense(spec.width, ("embed", "heads"), dtype=spec.dtype, name=name)(x)
      return nn.with_logical_constraint(
          y.reshape(split), ("batch", "length", "heads", None))   # [B, L, H, D/H]

    q, k, v = project("query"), project("key"), project("value")
    # Only `apply(..., mutable="intermediates")` asks for them; they are then computed
    # beside the product, whatever its implementation.
    if self.is_mutable_collection("intermediates"):
      self.sow("intermediates", "attention", probabilities(q, k, is_attended))
    if spec.attention == "explicit":
      has_dropout = spec.dropout and not deterministic
      y = attend(q, k, v, is_attended, dropout=spec.dropout,
                 key=self.make_rng("dropout") if has_dropout else None)
    else:
      if spec.dropout and not deterministic:
        raise ValueError(
            f"model.attention={spec.attention!r} cannot drop attention "
            f"probabilities (model.dropout={spec.dropout}). Set model.dropout=0 "
            "or model.attention='explicit'.")
      y = jax.nn.dot_product_attention(
          q, k, v, mask=is_attended[:, None, None, :], implementation=spec.attention)
    return dense(spec.width, ("heads", "embed"), dtype=spec.dtype,
                 name="out")(y.reshape(x.shape))


def attend(q, k, v, is_attended, *, dropout=0.0, key=None):
  """Softmax attention, written out.

  Args:
    q, k, v: [B, L, H, D/H].
    is_attended: [B, L] bool.
    dropout: rate at which probabilities are dropped.
    key: PRNG key, consumed; None for no dropout.

  Returns:
    [B, L, H, D/H] of v's dtype.
  """
  @recompute
  def dropped(scores, key):
    p = _softmax(scores, is_attended, q.shape[-1])
    return dropout_lib.drop(key, p, rate=dropout).astype(v.dtype)

  # Heads in front once, instead of inside each of the products forward and
  # backward: 0.7 of the time on a CPU.
  q, k, v = (a.swapaxes(1, 2) for a in (q, k, v))                 # [B, H, L, D/H]
  p = dropped(_scores(q, k), key)
  return jnp.einsum("bhqk,bhkd->bhqd", p, v).swapaxes(1, 2)


def probabilities(q, k, is_attended):
  """How much each query attends to each key, without dropout.

  Args:
    q, k: [B, L, H, D/H].
    is_attended: [B, L] bool.

  Returns:
    [B, H, L, L] float32; the last axis sums to 1, zeros where not attended.
  """
  q, k = (a.swapaxes(1, 2) for a in (q, k))                       # [B, H, L, D/H]
  return _softmax(_scores(q, k), is_attended, q.shape[-1])


def _scores(q, k):
  """[B, H, L, D/H], the same -> [B, H, L, L] float32."""
  return jnp.einsum("bhqd,bhkd->bhqk", q, k, preferred_element_type=jnp.float32)


def _softmax(scores, is_attended, head_dim):
  """[B, H, L, L], [B, L] bool -> probabilities [B, H, L, L]."""
  bias = jnp.where(is_attended, 0.0, -1e9)[:, None, None, :]
  return jax.nn.softmax(scores * head_dim**-0.5 + bias, axis=-1)


class Block(nn.Module):
  """Attention and feed-forward, each with dropout, residual sum and norm."""
  spec: Spec

  @nn.compact
  def __call__(self, x, is_attended, deterministic):
    """[B, L, D], [B, L] bool, bool -> ([B, L, D], None)."""
    spec = self.spec

    def residual(x, branch, name):
      norm = LayerNorm(spec.dtype, name=f"{name}_norm")
      drop = dropout_lib.Dropout(spec.dropout, name=f"{name}_dropout")
      y = branch(norm(x) if spec.norm == "pre" else x)
      x = x + drop(y, deterministic=deterministic)
      return x if spec.norm == "pre" else norm(x)

    attention = SelfAttention(spec, name="attention")
    x = residual(x, lambda y: attention(y, is_attended, deterministic), "attention")
    x = residual(x, FeedForward(spec, name="feed_forward"), "feed_forward")
    return nn.with_logical_constraint(x, ("batch", "length", None)), None


def stack(block, *, depth, remat="none", unroll=1):
  """A module class that runs `depth` copies of `block`, parameters on axis 0.

  Args:
    block: module class called as (x, is_attended, deterministic) -> (x, None).
    depth: number of copies.
    remat: "none" or a name in jax.checkpoint_policies.
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


class Blocks(nn.Module):
  """All blocks of an encoder or a decoder."""
  spec: Spec

  @nn.compact
  def __call__(self, x, is_attended, *, deterministic):
    """[B, L, D], [B, L] bool -> [B, L, D]; finite where nothing is attended."""
    spec = self.spec
    # A row without anything to attend to attends to everything: its output
    # means nothing, but every implementation of attention keeps it finite.
    is_attended = is_attended | ~is_attended.any(axis=1, keepdims=True)
    layers = stack(Block, depth=spec.depth, remat=spec.remat, unroll=spec.scan_unroll)
    x, _ = layers(spec, name="layers")(x, is_attended, deterministic)
    return LayerNorm(spec.dtype, name="final_norm")(x) if spec.norm == "pre" else x


class Inputs(nn.Module):
  """What BERT does to word vectors before the first block.

  Only row 0 of a token-type table is ever used here, so it is one vector.
  """
  spec: Spec
  max_positions: int

  @nn.compact
  def __call__(self, x, positions, *, deterministic):
    """Adds position and type, normalises, drops.

    Args:
      x: [B, L, D].
      positions: [B, L] int32, or None for 0..L-1.
      deterministic: no dropout.

    Returns:
      [B, L, D] of the compute dtype.
    """
    table = self.param("position", kernel("positions", "embed"),
                       (self.max_positions, self.spec.width))
    token_type = self.param("token_type", kernel("embed"), (self.spec.width,))
    if x.shape[1] > self.max_positions:
      raise ValueError(f"{x.shape[1]} tokens need model.max_positions >= {x.shape[1]}; "
                       f"it is {self.max_positions}.")
    place = table[:x.shape[1]] if positions is None else take_rows(table, positions)
    x = LayerNorm(self.spec.dtype, name="norm")(x + place + token_type)
    return dropout_lib.Dropout(self.spec.dropout)(x, deterministic=deterministic)


def take_rows(table, ids):
  """Rows of a table: [N, D], any shape of ids -> [..., D]."""
  return jnp.take(table, ids, axis=0, mode="clip")


def take_slots(x, ids):
  """Slots of each sequence: [B, L, D], [B, M] int -> [B, M, D]."""
  return jnp.take_along_axis(x, ids[..., None], axis=1, mode="clip")
