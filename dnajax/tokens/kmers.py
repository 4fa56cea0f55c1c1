"""Bases to k-mer ids, on the device."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Int, Integer, Key

from dnajax.tokens import bases as base_codes

# From the host or on the device.
Bases = Integer[Array, "B bp"] | Integer[np.ndarray, "B bp"]


@struct.dataclass
class Tokens:
  """Tokenised sequences. B sequences, L positions ([CLS] and [SEP] included)."""
  # Arrays, or what stands for them in a tree: shapes, shardings.
  ids: Any          # [B, L] int32
  is_maskable: Any  # [B, L] bool, k-mers that may be selected
  pad_mask: Any     # [B, L] bool, True = real token, attended
  bases: Any = None  # [B, bp] uint8, the aligned row in frame 0; None where only ids matter


def num_tokens(num_bases, *, k, stride, add_cls=False, add_sep=False):
  """L of a sequence of `num_bases` base pairs: whole k-mers, [CLS] and [SEP]."""
  return max(0, (num_bases - k) // stride + 1) + add_cls + add_sep


def tokenize(bases: Bases, *, vocabulary, stride,
             offset: Int[Array, "B"] | Int[np.ndarray, "B"] | None = None, length=None) -> Tokens:
  """k-mers every `stride` bases, from `offset` on.

  Stride k gives the tokens of BarcodeBERT and BarcodeMAE, stride 1 the
  overlapping ones of DNABERT. A k-mer with an unknown base is [UNK] (or has
  its own id, see `Vocabulary.n_policy`): attended, never selected unless it
  has an own id. A partial last k-mer and everything behind it is padding:
  `Vocabulary.pad_id`, not attended.

  With `Vocabulary.add_cls` position 0 is [CLS]. With `add_sep` a row's last
  k-mer is followed by [SEP], so that its place depends on the row's length; a
  row without k-mers has it behind [CLS]. Both are attended, never selected.

  Args:
    bases: [B, bp] uint8 base codes (see `dnajax.bases`).
    vocabulary: a `Vocabulary`, static.
    stride: bases between the starts of two k-mers, static.
    offset: [B] int32, bases left out at the start of each row; None for none.
    length: base pairs tokenised after the offset, static; default bp. Reading
      some bases more than `length` keeps the last k-mer of a row whole when
      the frame is shifted.

  Returns:
    Tokens with L = num_tokens(length, ...).
  """
  length = bases.shape[1] if length is None else length
  k = vocabulary.k
  count = num_tokens(length, k=k, stride=stride)
  if offset is not None:
    columns = jnp.arange(length) + offset[:, None]                 # [B, length]
    bases = jnp.take_along_axis(bases, columns, axis=1, mode="fill",
                                fill_value=base_codes.PAD)
  bases = _digits(bases.astype(jnp.int32), vocabulary.letters)
  span = (count - 1) * stride + 1
  letters = [bases[:, j:j + span:stride] for j in range(k)]        # k × [B, L]
  if count == 0:
    letters = [bases[:, :0]] * k
  is_unknown = _any(letter == base_codes.UNKNOWN for letter in letters)
  pad_mask = ~_any(letter == base_codes.PAD for letter in letters)
  number = sum(letter * 4**(k - 1 - j) for j, letter in enumerate(letters))
  if vocabulary.n_policy == "in_vocabulary":
    number = jnp.where(is_unknown, _number_with_n(letters), number)
    is_kmer = pad_mask
  else:
    is_kmer = pad_mask & ~is_unknown
  ids = jnp.where(is_kmer, number + vocabulary.num_special, vocabulary.unk_id)
  if vocabulary.pad_id != vocabulary.unk_id:
    ids = jnp.where(pad_mask, ids, vocabulary.pad_id)
  return _add_specials(ids, is_kmer, pad_mask, vocabulary)


def reverse_complement(bases: Bases) -> Bases:
  """The other strand, read in its own direction.

  Args:
    bases: [B, bp] uint8 base codes, padding at the right.

  Returns:
    [B, bp] uint8, padding at the right again; unknown bases stay unknown.
  """
  length = (bases != base_codes.PAD).sum(axis=1, keepdims=True)    # [B, 1]
  columns = length - 1 - jnp.arange(bases.shape[1])                # [B, bp]
  codes = jnp.take_along_axis(bases, jnp.maximum(columns, 0), axis=1)
  # Codes are in ACGT order: partners add up to 3.
  codes = jnp.where(codes < base_codes.UNKNOWN, 3 - codes, codes)
  return jnp.where(columns >= 0, codes, base_codes.PAD).astype(jnp.uint8)


def randomly_reverse_complement(key: Key[Array, ""], bases: Bases, *,
                                probability) -> Bases:
  """Replaces each row by its reverse complement with a chance of its own.

  Args:
    key: PRNG key, consumed.
    bases: [B, bp] uint8 base codes, padding at the right.
    probability: 0..1 (config.tokens.reverse_complement).

  Returns:
    [B, bp] uint8.
  """
  is_reversed = jax.random.bernoulli(key, probability, (bases.shape[0], 1))
  return jnp.where(is_reversed, reverse_complement(bases), bases)


def _digits(codes, letters):
  """Base codes -> place of each letter in `letters`; unknown and padding stay."""
  digits = codes
  for digit, letter in enumerate(letters):
    code = base_codes.ALPHABET.index(letter)
    if code != digit:
      digits = jnp.where(codes == code, digit, digits)
  return digits


def _add_specials(ids, is_kmer, pad_mask, vocabulary):
  """Puts [CLS] and [SEP] around the k-mers of each row."""
  if vocabulary.add_cls:
    ids = jnp.pad(ids, ((0, 0), (1, 0)), constant_values=vocabulary.cls_id)
    is_kmer = jnp.pad(is_kmer, ((0, 0), (1, 0)))
    pad_mask = jnp.pad(pad_mask, ((0, 0), (1, 0)), constant_values=True)
  if vocabulary.add_sep:
    ids, is_kmer, pad_mask = (
        jnp.pad(x, ((0, 0), (0, 1)), constant_values=fill) for x, fill in
        ((ids, vocabulary.pad_id), (is_kmer, False), (pad_mask, False)))
    # Real tokens are the first ones of a row, so their number is the next place.
    place = pad_mask.sum(axis=1, keepdims=True)                    # [B, 1]
    is_sep = jnp.arange(ids.shape[1]) == place                     # [B, L]
    ids = jnp.where(is_sep, vocabulary.sep_id, ids)
    pad_mask |= is_sep
  return Tokens(ids=ids, is_maskable=is_kmer, pad_mask=pad_mask)


def _any(parts):
  out = None
  for part in parts:
    out = part if out is None else out | part
  return out


def _number_with_n(letters):
  """Class of a k-mer that holds an N: behind all 4^k plain ones, ACGTN order.

  Its place among the k-mers with N is its base-5 value less the number of
  plain k-mers that come before it in ACGTN order. Those share the letters up
  to the first N (or branch off earlier).
  """
  k = len(letters)
  value = sum(jnp.minimum(letter, base_codes.UNKNOWN) * 5**(k - 1 - j)
              for j, letter in enumerate(letters))
  num_plain_before = jnp.zeros_like(letters[0])
  is_plain_prefix = jnp.ones_like(letters[0], dtype=bool)
  for j, letter in enumerate(letters):
    smaller = jnp.minimum(letter, base_codes.UNKNOWN) * 4**(k - 1 - j)
    num_plain_before += jnp.where(is_plain_prefix, smaller, 0)
    is_plain_prefix &= letter < base_codes.UNKNOWN
  return 4**k + value - num_plain_before
