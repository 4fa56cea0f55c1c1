"""Bases to k-mer ids, on the device."""

import jax
import jax.numpy as jnp
from flax import struct

from dnajax import bases as base_codes


@struct.dataclass
class Tokens:
  """Tokenised sequences. B sequences, L positions ([CLS] included)."""
  ids: jax.Array          # [B, L] int32
  is_maskable: jax.Array  # [B, L] bool, k-mers that may be selected
  pad_mask: jax.Array     # [B, L] bool, True = real token, attended


def num_tokens(num_bases, *, k, stride, add_cls=False):
  """L of a sequence of `num_bases` base pairs: whole k-mers plus [CLS]."""
  return max(0, (num_bases - k) // stride + 1) + add_cls


def tokenize(bases, *, vocabulary, stride, offset=None, length=None):
  """k-mers every `stride` bases, from `offset` on (BarcodeBERT, BarcodeMAE).

  A k-mer with an unknown base is [UNK] (or has its own id, see
  `Vocabulary.n_policy`): attended, never selected unless it has an own id. A
  partial last k-mer and everything behind it is padding: [UNK], not attended.

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
  bases = bases.astype(jnp.int32)
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
  if vocabulary.add_cls:
    ids = jnp.pad(ids, ((0, 0), (1, 0)), constant_values=vocabulary.cls_id)
    is_kmer = jnp.pad(is_kmer, ((0, 0), (1, 0)))
    pad_mask = jnp.pad(pad_mask, ((0, 0), (1, 0)), constant_values=True)
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
