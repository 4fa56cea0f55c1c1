"""A profile: one learned vector for each letter at each place, added up.

What a position weight matrix is with numbers, this is with vectors. It asks for rows
that are aligned (`tokens.align_to`): of one marker, which hardly differ in length
(this project's own).
"""

import dataclasses
import string
from typing import Literal

import jax.numpy as jnp

from dnajax.models.encoders import kmer_bag, transformer
from dnajax.tokens import align

# Longer than what an optimizer adds to them: then the features stay close to what random
# vectors make of the letters, which tells species apart that no label speaks of. Better by
# .4 points than .02 (configs/README.md).
_STD = 0.06


@dataclasses.dataclass(frozen=True)
class Profile:
  """Vectors of letters at places, added up over the sequence; no attention."""
  width: int = 512            # D
  max_positions: int = 128    # tokens that a sequence may have
  dropout: float = 0.5        # chance that one of the four letters of a place is left out
  # what of each letter is expected at each place, and taken away: "" a quarter, train its
  # share in the aligned training rows; else those shares (tokens.align.shares)
  background: str = "train"
  dtype: Literal["float32", "bfloat16"] = "float32"  # of products

  name = "profile"
  sees_gaps = True
  reads_frames = True
  can_be_causal = True
  has_attention = False
  free = ("dropout", "dtype")  # see Transformer

  stack = kmer_bag.KmerBag.stack
  flops_per_token = kmer_bag.KmerBag.flops_per_token

  def check(self, setup):
    """Room for all places; letters of the tokens."""
    yield from transformer.check_sizes(self, ("width", "max_positions"))
    if self.background != "train" and (
        set(self.background) - set(string.hexdigits) or len(self.background) % 4):
      yield "background", "'', 'train' or four hexadecimal digits for each place"
    tokenizer = setup.tokenizer
    if tokenizer is None:
      return
    if tokenizer.frames is None:
      yield "name", ("another one, or config.tokens.frames='all': a profile reads the "
                     "letters of the tokens")
    if tokenizer.num_tokens > self.max_positions:
      yield "max_positions", f"at least {tokenizer.num_tokens}, the tokens of a row"

  def module(self, vocab_size, *, frames=None, is_causal=False):
    """The Linen module; arguments as of Transformer. Causal or not is the same."""
    del vocab_size, is_causal
    return ProfileEncoder(self, self.max_positions * frames.stride * 4, frames, _STD)


class ProfileEncoder(kmer_bag.KmerBagEncoder):
  """A word is a letter at a place. Every place counts all four: what is there less what is
  expected.

  So a place where all rows are alike adds nothing, and leaving it out is no noise. Dropout
  leaves out each of the four letters by itself, so that half of a place may speak: better
  than whole places (configs/README.md). Its `spec` is a Profile, its `vocab_size` places × 4.
  """

  def _words(self, ids, is_seen, positions):
    """(numbers of letters at places [B, K, S × 4], what each counts)."""
    k, stride = self.frames.k, self.frames.stride
    number, is_kmer = self.frames.numbers(ids, is_seen)
    if positions is None:
      positions = jnp.broadcast_to(jnp.arange(ids.shape[1]), ids.shape)
    letters = jnp.stack([number // 4**(k - 1 - j) % 4 for j in range(stride)], axis=-1)
    places = positions[..., None] * stride + jnp.arange(stride)       # [B, K, S]
    is_there = letters[..., None] == jnp.arange(4)                    # [B, K, S, 4]
    digits = "" if self.spec.background == "train" else self.spec.background
    expected = jnp.asarray(align.read_shares(digits, self.vocab_size // 4))[places]
    value = jnp.where(is_kmer[..., None, None], is_there - expected, 0)
    words = places[..., None] * 4 + jnp.arange(4)
    return (x.reshape(*ids.shape, -1) for x in (words, value))

  def _weight_of(self, counts):
    return jnp.ones_like(counts)
