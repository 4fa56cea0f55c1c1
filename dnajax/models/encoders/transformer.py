"""The encoder of BERT: word vectors, positions, blocks of attention."""

import dataclasses
from typing import Any, Literal

import flax.linen as nn
from jaxtyping import Array, Bool, Float, Int

from dnajax.models import blocks, layers
from dnajax.shell import parts


@dataclasses.dataclass(frozen=True)
class Transformer:
  """BERT without its pooler. Parameters, normalisation and softmax are float32."""
  width: int = 128            # D
  depth: int = 3              # blocks
  num_heads: int = 2          # attention heads; divides width
  mlp_width: int = 512        # inner width of the feed-forward layers
  max_positions: int = 512    # rows of the position table; tokens a sequence may have
  dropout: float = 0.1        # of residual branches and attention probabilities
  norm: Literal["post", "pre"] = "post"  # after the residual sum (BERT), or before a branch
  dtype: Literal["float32", "bfloat16"] = "float32"  # of activations and products
  # explicit: written out; the others: jax.nn.dot_product_attention, without dropout
  attention: Literal["explicit", "xla", "cudnn"] = "explicit"
  remat: str = "none"         # what is not stored but computed again: jax.checkpoint_policies
  scan_unroll: int = 1        # blocks per turn of the loop; from depth on there is no loop

  reads_frames = True   # takes `frames`, see `module`
  sees_gaps = True      # may run on kept tokens alone: it is told their positions
  can_be_causal = True  # no token needs to see one behind it
  # Keys that decide no parameter: another run may take the encoder with its own.
  free = ("dropout", "attention", "remat", "scan_unroll", "dtype")
  has_attention = True  # sows the probabilities of attention

  def check(self, setup):
    """Sizes that go together, and options that exclude each other."""
    yield from check_sizes(self, ("width", "depth", "mlp_width", "max_positions",
                                  "scan_unroll"))
    if self.num_heads < 1 or self.width % self.num_heads:
      yield "num_heads", f"a divisor of encoder.width={self.width}"
    if self.dropout and self.attention != "explicit":
      yield "dropout", f"0 unless encoder.attention='explicit'; it is {self.attention!r}"
    policies = ("none", *blocks.remat_policies())
    if self.remat not in policies:
      yield "remat", parts.one_of(policies)
    if setup.tokenizer is not None and setup.tokenizer.num_tokens > self.max_positions:
      yield "max_positions", (
          f"at least {setup.tokenizer.num_tokens}, the tokens that config.data.max_length="
          f"{setup.tokenizer.length} gives; raise it, or lower data.max_length")

  def module(self, vocab_size, *, frames=None, is_causal=False):
    """The Linen module; the last two change no parameter.

    Args:
      vocab_size: V.
      frames: tokens.frames.Frames, if tokens stand for the k-mers of every frame.
      is_causal: no token sees one behind it.
    """
    return TransformerEncoder(self, vocab_size, frames, is_causal)

  def stack(self, num_tokens, **changes):
    """A Transformer with these options and other sizes, for a decoder."""
    del num_tokens                             # as many positions as the encoder has
    return dataclasses.replace(self, **changes)

  def flops_per_token(self, num_tokens):
    """Floating-point operations of the forward pass, per token of a sequence.

    2 per weight, and the two products of attention; embeddings, norms and softmax
    do not count, and causal attention counts as a whole (it is computed).
    """
    weights = 4 * self.width**2 + 2 * self.width * self.mlp_width
    return float(self.depth * (2 * weights + 4 * num_tokens * self.width))


def behind(num_tokens, *, dropout, dtype, **changes):
  """The Transformer of a decoder behind an encoder of another kind.

  Args:
    num_tokens: L, positions that it has.
    dropout, dtype: see Transformer.
    **changes: other keys of Transformer.
  """
  return Transformer(**{"max_positions": num_tokens, "dropout": dropout, "dtype": dtype,
                        "norm": "pre", **changes})


def check_sizes(part, keys):
  """Yields those keys whose number is below 1, and a dropout that is no rate."""
  for key in keys:
    if getattr(part, key) < 1:
      yield key, "at least 1"
  if not 0 <= part.dropout < 1:
    yield "dropout", "at least 0 and below 1"


class TransformerEncoder(nn.Module):
  """BERT without its pooler."""
  spec: Any        # Transformer
  vocab_size: int  # V
  frames: Any = None  # tokens.frames.Frames, or the ids alone
  is_causal: bool = False

  @nn.compact
  def __call__(self, ids: Int[Array, "B K"], is_attended: Bool[Array, "B K"], *,
               positions: Int[Array, "B K"] | None = None,
               is_hidden: Bool[Array, "B K"] | None = None,
               deterministic=True) -> Float[Array, "B K D"]:
    """Token ids to features.

    Args:
      ids: tokens.
      is_attended: the others influence no other token.
      positions: None for 0..K-1.
      is_hidden: word embedding set to zero; None for nowhere.
      deterministic: no dropout.

    Returns:
      Of the compute dtype.
    """
    table = self.param("word", layers.kernel("words", "embed"),
                       (self.vocab_size, self.spec.width))
    x = layers.word_vectors(table, ids, is_attended, frames=self.frames,
                            positions=positions, is_hidden=is_hidden)  # [B, K, D]
    x = blocks.AddPositions(self.spec, name="inputs")(
        x, positions, deterministic=deterministic)
    return blocks.Blocks(self.spec, self.is_causal, name="blocks")(
        x, is_attended, deterministic=deterministic)
