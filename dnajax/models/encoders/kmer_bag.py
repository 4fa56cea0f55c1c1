"""A bag of k-mers: learned vectors, added up; the strong simple baseline.

The mean feature of a sequence is its square-root k-mer counts times a learned matrix.
With `tokens.frames="all"` the counts are those of all overlapping k-mers. It has no
positions and no blocks, learns in minutes, and dropping k-mers keeps it from learning
its training sequences by heart (this project's own; Hellinger kernels of counts:
Arandjelovic and Zisserman 2012).
"""

import dataclasses
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from dnajax.models import dropout as dropout_lib
from dnajax.models import layers
from dnajax.models.encoders import transformer

# Times every vector: a mean over a hundred tokens of a few words each is small, and AdamW
# moves all parameters alike, those that are added to such a mean too.
_GAIN = 10.0


@dataclasses.dataclass(frozen=True)
class KmerBag:
  """Vectors of k-mers, added up over the sequence; no positions, no attention."""
  width: int = 256            # D
  dropout: float = 0.5        # chance that a k-mer is left out, wherever it is in a row
  counts: Literal["square_root", "linear"] = "square_root"  # weight of a k-mer seen n times
  dtype: Literal["float32", "bfloat16"] = "float32"  # of products

  name = "kmer_bag"
  sees_gaps = True
  reads_frames = True
  can_be_causal = False
  has_attention = False
  free = ("dropout", "dtype")  # see Transformer

  def check(self, setup):
    """Sizes, and an objective that lets it see the whole row."""
    yield from transformer.check_sizes(self, ("width",))
    if setup.objective is not None and setup.objective.is_causal:
      yield "name", ("'transformer' where tokens are predicted from those before them "
                     "(config.objective): counts are of whole rows")

  def module(self, vocab_size, *, frames=None, is_causal=False):
    """The Linen module."""
    if is_causal:
      raise ValueError("A bag of k-mers counts whole rows.")
    return KmerBagEncoder(self, vocab_size, frames)

  def stack(self, num_tokens, **changes):
    """The Transformer of a decoder; it drops a tenth, not what is left out of a bag."""
    return transformer.behind(num_tokens, dropout=0.1, dtype=self.dtype, **changes)

  def flops_per_token(self, num_tokens):
    """None: vectors are looked up."""
    del num_tokens
    return 0.0


class KmerBagEncoder(nn.Module):
  """One table of vectors, and two ways to read it."""
  spec: Any        # KmerBag
  vocab_size: int  # V
  frames: Any = None  # tokens.frames.Frames; None: the tokens alone
  std: float = 0.02   # of the vectors at the start

  def setup(self):
    self.word = self.param("word", layers.kernel("words", "embed", std=self.std),
                           (self.vocab_size, self.spec.width))

  def __call__(self, ids: Int[Array, "B K"], is_attended: Bool[Array, "B K"], *,
               positions: Int[Array, "B K"] | None = None,
               is_hidden: Bool[Array, "B K"] | None = None,
               deterministic=True) -> Float[Array, "B K D"]:
    """Of every token the sum of the weighted vectors of its k-mers.

    Args:
      ids: tokens.
      is_attended: the others influence no other token.
      positions: None for 0..K-1.
      is_hidden: word embedding set to zero; None for nowhere.
      deterministic: all k-mers.

    Returns:
      Of the compute dtype.
    """
    words, value, _, weights = self._read(
        ids, is_attended, positions, is_hidden, deterministic)
    rows = jnp.arange(len(ids))[:, None]
    total = 0
    for s in range(words.shape[-1]):
      weight = value[..., s] * weights[rows, words[..., s]]
      total += weight[..., None] * layers.take_rows(self.word, words[..., s])
    return (_GAIN * total).astype(self.spec.dtype)

  def mean(self, ids: Int[Array, "B K"], is_attended: Bool[Array, "B K"], *,
           positions=None, is_hidden=None, deterministic=True) -> Float[Array, "B D"]:
    """The mean over attended tokens, as one product of the row's counts with the table.

    The same numbers as the mean over `__call__`, many times faster.

    Args:
      ids, is_attended, positions, is_hidden, deterministic: as of `__call__`.

    Returns:
      float32.
    """
    _, _, counts, weights = self._read(
        ids, is_attended, positions, is_hidden, deterministic)
    dtype = self.spec.dtype
    total = jnp.dot((counts * weights).astype(dtype), self.word.astype(dtype),
                    preferred_element_type=jnp.float32)
    return _GAIN * total / jnp.maximum(is_attended.sum(axis=1, keepdims=True), 1)

  def _read(self, ids, is_attended, positions, is_hidden, deterministic):
    """(words and their values [B, K, S], counts and weights of words in rows [B, V])."""
    is_seen = layers.seen(is_attended, is_hidden)
    words, value = self._words(ids, is_seen, positions)
    value = jnp.where(is_seen[..., None], value, 0).astype(jnp.float32)
    counts = self._counts(words, value)
    weights = self._weight_of(counts)
    if self.spec.dropout and not deterministic:
      weights = dropout_lib.drop(self.make_rng("dropout"), weights, rate=self.spec.dropout)
    return words, value, counts, weights

  def _words(self, ids, is_seen, positions):
    """(ids of words [B, K, S], what each counts: 1, or 0 where there is none)."""
    if self.frames is None:
      return ids[..., None], jnp.ones((*ids.shape, 1), bool)
    return self.frames(ids, is_seen, positions)

  def _weight_of(self, counts):
    """Of a k-mer that is seen so often in a row."""
    if self.spec.counts == "square_root":
      return jax.lax.rsqrt(jnp.maximum(counts, 1))
    return jnp.ones_like(counts)

  def _counts(self, words, value):
    """The sum of the values of each word in each row, [B, V] float32."""
    rows = jnp.arange(len(words))[:, None]
    words, value = (x.reshape(len(x), -1) for x in (words, value))
    return jnp.zeros((len(words), self.vocab_size), jnp.float32).at[rows, words].add(value)
