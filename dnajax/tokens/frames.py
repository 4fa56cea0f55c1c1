"""The k-mers of every reading frame, from tokens of one frame (this project's own).

Tokens every k bases show one reading frame of k. The k-mers of the others lie across
two neighbouring tokens, and their ids follow from the ids of these two by integer
arithmetic: nothing else is looked at, so nothing of a token that is masked, hidden or
taken out can show in them.
"""

import dataclasses

import jax.numpy as jnp
from jaxtyping import Array, Bool, Int


@dataclasses.dataclass(frozen=True)
class Frames:
  """Token ids -> ids of the k-mers that start inside each token; static under jit.

  Attributes:
    k: letters per token.
    stride: bases from one token to the next, at most k; as many frames.
    num_special: ids below this one are no k-mers.
    is_causal: a k-mer across two tokens belongs to the later one, which may see the
      earlier; else to the earlier, in which it starts.
  """
  k: int
  stride: int
  num_special: int
  is_causal: bool = False

  def __call__(self, ids: Int[Array, "B K"], is_seen: Bool[Array, "B K"],
               positions: Int[Array, "B K"] | None = None
               ) -> tuple[Int[Array, "B K S"], Bool[Array, "B K S"]]:
    """Words of every token: its own id, then the k-mers at offsets 1..S-1.

    Args:
      ids: tokens.
      is_seen: tokens whose letters the encoder may look at. The own id counts
        everywhere; a k-mer across two tokens only where both are seen k-mers of
        A, C, G, T and stand beside each other in the sequence.
      positions: of the tokens in the sequence; None for 0..K-1.

    Returns:
      (ids, 0 where there is no such k-mer; whether there is). S = stride.
    """
    number, is_plain = self.numbers(ids, is_seen)
    if positions is None:
      is_next = jnp.ones_like(is_seen[:, 1:])
    else:
      is_next = positions[:, 1:] == positions[:, :-1] + 1
    is_pair = is_plain[:, :-1] & is_plain[:, 1:] & is_next           # [B, K-1]
    first, second = number[:, :-1], number[:, 1:] % 4**self.stride
    at = (1, 0) if self.is_causal else (0, 1)
    words, are_words = [ids], [jnp.ones_like(is_seen)]
    for offset in range(1, self.stride):
      across = first % 4**(self.k - offset) * 4**offset + second // 4**(self.stride - offset)
      across = jnp.where(is_pair, across + self.num_special, 0)
      words.append(jnp.pad(across, ((0, 0), at)))
      are_words.append(jnp.pad(is_pair, ((0, 0), at)))
    return jnp.stack(words, axis=-1), jnp.stack(are_words, axis=-1)

  def numbers(self, ids, is_seen):
    """(base-4 number of each k-mer, whether it is a seen one of A, C, G, T), [B, K]."""
    number = ids - self.num_special
    return number, is_seen & (number >= 0) & (number < 4**self.k)
