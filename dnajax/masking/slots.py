"""Packing the chosen positions of each row into slots, and how many slots there are."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Key, Shaped

from dnajax.masking import k_lowest

_BLOCK = 16


def pack(key: Key[Array, ""], is_candidate: Bool[Array, "B L"], size,
         is_favoured: Bool[Array, "B L"] | None = None):
  """The positions of up to `size` candidates of each row, in order.

  Args:
    key: PRNG key; draws which candidates a row with too many of them loses.
    is_candidate: positions that want a slot.
    size: S, number of slots, static.
    is_favoured: candidates that are never lost, or None.

  Returns:
    ids [B, S] int32 (0 in empty slots), is_used [B, S], is_kept [B, L], and
    order [B, L] int32: how many are kept up to and with each position.
  """
  num_rows, length = is_candidate.shape

  def lose_surplus():
    draws, largest = k_lowest.draws(key, is_candidate.shape)
    if is_favoured is not None:
      draws, largest = jnp.where(is_favoured, 0, draws + 1), largest + 1
    return k_lowest.select(draws, is_candidate, jnp.full((num_rows, 1), size),
                           largest=largest)

  is_kept = is_candidate
  if size < length:  # and even then most batches have no row with too many
    is_kept = jax.lax.cond((is_candidate.sum(axis=1) > size).any(),
                           lose_surplus, lambda: is_candidate)
  order = running_count(is_kept)
  # A scatter, on a CPU much faster than any sort; what has no slot goes to a spare one,
  # so that no index needs a check.
  slots = jnp.where(is_kept, order - 1, size)
  positions = jnp.broadcast_to(jnp.arange(length, dtype=jnp.int32), slots.shape)
  # Row by row, so that no device needs the rows of another.
  ids = jax.vmap(lambda slots, positions: jnp.zeros(size + 1, jnp.int32).at[slots].set(
      positions, mode="promise_in_bounds"))(slots, positions)[:, :size]
  is_used = jnp.arange(size) < is_kept.sum(axis=1, keepdims=True)  # [B, S]
  return ids, is_used, is_kept, order


def running_count(is_set: Bool[Array, "B L"]) -> Int[Array, "B L"]:
  """How many are True up to and with each position, int32.

  `jnp.cumsum` by two small matrix products, within blocks and over blocks: a third of
  its time on a CPU. Every number that is multiplied is at most _BLOCK, so that the
  result is exact even where matrix products round their factors to bfloat16.
  """
  num_rows, length = is_set.shape
  num_blocks = -(-length // _BLOCK)
  blocks = jnp.pad(is_set, ((0, 0), (0, num_blocks * _BLOCK - length)))
  blocks = blocks.reshape(num_rows, num_blocks, _BLOCK).astype(jnp.float32)
  within = blocks @ jnp.triu(jnp.ones((_BLOCK, _BLOCK)))
  before = within[:, :, -1] @ jnp.triu(jnp.ones((num_blocks, num_blocks)), 1)
  counts = (within + before[:, :, None]).astype(jnp.int32)
  return counts.reshape(num_rows, -1)[:, :length]


def take(array: Shaped[Array, "B L"], ids: Int[Array, "B S"]) -> Shaped[Array, "B S"]:
  """The entries of each row at its ids, which are 0 .. L - 1."""
  return jnp.take_along_axis(array, ids, axis=1, mode="promise_in_bounds")


def by_formula(settings, length):
  """(K, M) that hold nearly all rows, from what the selections expect.

  Args:
    settings: settings.Masking; its capacity_sds says how many standard deviations
      beyond the mean there is room for.
    length: L, tokens of a row.

  Returns:
    Two ints, multiples of settings.round_to or L; None if a selection in use has no
    formula.
  """
  expected = [selection.expected(length, rate * factor)
              for selection in settings.in_use().values()
              for rate in selection.rates()
              for factor in (1.0, *settings.rate.factors)]
  if None in expected:
    return None
  sds, masked = settings.capacity_sds, getattr(settings.corruption, "mask_share", 1.0)

  def kept(mean, spread):
    # Of the selected tokens each is masked by a draw of its own.
    variance = masked**2 * spread**2 + mean * masked * (1 - masked)
    return length - masked * mean + sds * math.sqrt(variance)

  return (round_up(max(kept(*one) for one in expected), settings.round_to, length),
          round_up(max(mean + sds * spread for mean, spread in expected),
                   settings.round_to, length))


def round_up(number, multiple, most):
  """Smallest multiple that is at least `number`, but `most` at most."""
  return min(-(-math.ceil(round(number, 6)) // multiple) * multiple, most)
