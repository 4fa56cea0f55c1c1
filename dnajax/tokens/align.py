"""Rows moved so that the same place of a gene stands at the same place of a row.

Barcodes of one marker hardly differ in length, but not all begin at the same base. An
ungapped shift to the consensus of the training data puts them side by side, and what
stands at a place then says more than which k-mers there are (this project's own).
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt8

from dnajax.tokens import bases as base_codes

_ROUNDS = 2        # of alignment to the consensus so far
_BATCH = 512       # rows aligned at a time


def consensus(bases):
  """The most frequent letter at every place of rows that are aligned to it.

  Args:
    bases: [N, bp] uint8 base codes of sequences of one marker.

  Returns:
    str of bp letters, N at places that fewer than half of the rows reach.
  """
  letters = _most_frequent(bases)
  for _ in range(_ROUNDS):
    letters = _most_frequent(_aligned(bases, letters))
  return letters


def shares(bases, letters):
  """How often each letter stands at each place of rows that are shifted to a consensus.

  Args:
    bases: [N, bp] uint8 base codes.
    letters: the consensus; "": rows as they are.

  Returns:
    str of 4 · bp hexadecimal digits, fifteenths of A, C, G and T place by place, of the
    rows that have a letter there; see `read_shares`.
  """
  counts = _counts(_aligned(bases, letters) if letters else bases)
  found = np.where(counts.sum(axis=0), counts / np.maximum(counts.sum(axis=0), 1), 0.25)
  return "".join(f"{round(15 * share):x}" for share in found.T.reshape(-1))


def read_shares(digits, num_places):
  """What `shares` wrote, [num_places, 4] float32; a quarter where nothing is written."""
  found = np.full((num_places, 4), 0.25, np.float32)
  numbers = np.array([int(digit, 16) for digit in digits], np.float32).reshape(-1, 4) / 15
  found[:len(numbers)] = numbers[:num_places]
  return found


def _aligned(bases, letters):
  return np.concatenate([np.asarray(to_consensus(bases[i:i + _BATCH], letters))
                         for i in range(0, len(bases), _BATCH)])


def _counts(rows):
  return np.stack([(rows == code).sum(axis=0) for code in range(4)])    # [4, bp]


def _most_frequent(rows):
  counts = _counts(rows)
  return "".join(
      base_codes.ALPHABET[column.argmax()] if 2 * column.sum() >= len(rows) else "N"
      for column in counts.T)


@functools.partial(jax.jit, static_argnames="letters")
def to_consensus(bases: UInt8[Array, "B bp"] | UInt8[np.ndarray, "B bp"], letters
                 ) -> UInt8[Array, "B bp"]:
  """Rows moved to where most of their letters are those of a consensus.

  Args:
    bases: base codes, padding at the right.
    letters: the consensus, static.

  Returns:
    Of the same length: unknown bases in front where a row begins later; what is pushed
    beyond either end is lost. Rows without any match stay.
  """
  bases = jnp.asarray(bases)
  length = bases.shape[1]
  number = matches(bases, letters)                                   # [B, 2 bp - 1]
  # The first of equal shifts would push a row without matches out.
  number = number.at[:, length - 1].add(0.5)
  shift = number.argmax(axis=1) - (length - 1)
  return move(bases, shift)


def matches(bases: UInt8[Array, "B bp"], letters) -> Float[Array, "B S"]:
  """Letters of each row that are those of the consensus, for every shift.

  Args:
    bases: base codes.
    letters: the consensus, static.

  Returns:
    [B, 2 bp - 1] float32, for shifts of -(bp - 1) … bp - 1 places to the right.
  """
  length = bases.shape[1]
  codes = base_codes.encode_batch([letters], length)[0]
  places = np.arange(length)[:, None] + np.arange(-(length - 1), length)  # [bp, S]
  is_inside = (places >= 0) & (places < length)
  expected = np.where(is_inside, codes[places % length], base_codes.PAD)
  is_letter = bases[..., None] == jnp.arange(4, dtype=bases.dtype)        # [B, bp, 4]
  table = (expected[:, None] == np.arange(4)[:, None])                    # [bp, 4, S]
  # 0s and 1s: exact in bfloat16, and their sums in float32.
  return jax.lax.dot_general(
      is_letter.reshape(len(bases), -1).astype(jnp.bfloat16),
      jnp.asarray(table.reshape(4 * length, -1), jnp.bfloat16),
      (((1,), (0,)), ((), ())), preferred_element_type=jnp.float32)


def move(bases: UInt8[Array, "B bp"], shift: Int[Array, " B"]) -> UInt8[Array, "B bp"]:
  """Rows moved to the right; to the left where the shift is negative.

  Args:
    bases: base codes, padding at the right.
    shift: places.

  Returns:
    Unknown bases come in from the left, padding from the right.
  """
  columns = jnp.arange(bases.shape[1]) - shift[:, None]
  moved = jnp.take_along_axis(bases, columns.clip(0), axis=1, mode="fill",
                              fill_value=base_codes.PAD)
  return jnp.where(columns < 0, jnp.uint8(base_codes.UNKNOWN), moved).astype(jnp.uint8)
