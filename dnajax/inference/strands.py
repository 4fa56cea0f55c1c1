"""Which strand a read is of, where nobody knows: by its 4-mers.

A read is of the strand whose 4-mers are likelier among sequences of known direction.
On 500 barcodes of species not trained on (658 bp, BOLD) that is right for all of them,
for windows of 100 bp in 99.6 %; the cosine of an embedding with the mean of the training
data, which would need no further numbers, is right for 77 to 99 % of the whole ones.
"""

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from dnajax.tokens import bases as base_codes

_K = 4
NUM = 4**_K   # numbers of a profile
_LETTERS = np.stack(np.unravel_index(np.arange(NUM), (4,) * _K))   # [k, 4^k]
# Codes are in ACGT order: partners add up to 3.
_OTHER_STRAND = np.ravel_multi_index(tuple(3 - _LETTERS[::-1]), (4,) * _K)
_COMPLEMENT = bytes.maketrans(b"ACGT", b"TGCA")


def profile(bases: UInt8[np.ndarray, "N bp"]) -> Int[np.ndarray, " NUM"]:
  """Counts of all overlapping 4-mers in sequences of known direction, in ACGT order."""
  numbers, is_kmer = _kmers(bases)
  return np.bincount(numbers[is_kmer], minlength=NUM)


def gain(profile) -> Float[np.ndarray, " NUM"]:
  """By how much reading the other strand instead makes each 4-mer likelier, nats.

  Args:
    profile: [256] counts, see `profile`.
  """
  likely = np.log(np.asarray(profile, np.float64) + 1)   # none is impossible
  # Whole steps of 2^-20: their sums do not depend on the order, so that a row and its
  # other strand never both win.
  return np.round((likely[_OTHER_STRAND] - likely) * 2**20) / 2**20


def is_reversed(bases: UInt8[np.ndarray, "B bp"], gain) -> Bool[np.ndarray, " B"]:
  """Whether the other strand of each row fits a profile better than the row does.

  Args:
    bases: [B, bp] uint8 base codes.
    gain: [256] nats, see `gain`.

  Returns:
    [B] bool; False where both fit alike, as in a row without a 4-mer.
  """
  numbers, is_kmer = _kmers(bases)
  return np.where(is_kmer, gain[numbers], 0).sum(axis=1) > 0


def reverse_complement(sequence):
  """The other strand of cleaned bytes; letters other than A, C, G, T stay."""
  return sequence.translate(_COMPLEMENT)[::-1]


def _kmers(bases):
  """Numbers [B, bp-3] of the 4-mers, and which of them hold no N and no padding."""
  length = max(bases.shape[1] - _K + 1, 0)
  windows = [bases[:, j:j + length].astype(np.int16) for j in range(_K)]
  is_kmer = np.logical_and.reduce([letter < base_codes.UNKNOWN for letter in windows])
  number = sum(letter * 4**(_K - 1 - j) for j, letter in enumerate(windows))
  return np.where(is_kmer, number, 0), is_kmer
