"""A few lengths that rows are cut to, so that a short sequence pays for its own length.

Every length is compiled once. Sequences are looked at some thousand at a time; what does
not fill a batch of its own length goes into one of the next longer sequences, so rare
lengths compile nothing and no more than one batch is filled up with empty rows.
"""

import dataclasses

import numpy as np

from dnajax.tokens import kmers

_SHORTEST = 8          # k-mers
_PER_OCTAVE = 4


def lengths(tokenizer):
  """The lengths of a model, base pairs, increasing; the last is the model's own.

  They are four to an octave in k-mers. A model that shifts rows to a consensus looks for
  their place in all of it and has one length.

  Args:
    tokenizer: tokens.tokenizer.Tokenizer.

  Returns:
    Tuple of base pairs.
  """
  if tokenizer.consensus:
    return (tokenizer.length,)
  stride, k = tokenizer.stride, tokenizer.vocabulary.k
  out, num_kmers = [], _SHORTEST
  # The longest row of so many k-mers: also in another frame nothing of it is cut.
  while (length := num_kmers * stride + k - 1) < tokenizer.length:
    out.append(length)
    num_kmers += max(4, 2**(num_kmers.bit_length() - 1) // _PER_OCTAVE)
  return (*out, tokenizer.length)


@dataclasses.dataclass(frozen=True)
class Batches:
  """How the rows of a model are put into batches.

  Attributes:
    lengths: base pairs, increasing.
    num_rows: rows of a batch of each length.
  """
  lengths: tuple
  num_rows: tuple

  def arrange(self, num_bases):
    """Puts rows into batches.

    Args:
      num_bases: [n] base pairs of each row, at most the longest length.

    Returns:
      List of (length, row numbers), no more of them than a batch of this length has;
      shorter rows first, equally long ones in the order given.
    """
    order = np.argsort(num_bases, kind="stable")
    ends = np.searchsorted(np.asarray(num_bases)[order], self.lengths, side="right")
    batches, done = [], 0
    for length, num_rows, end in zip(self.lengths, self.num_rows, ends, strict=True):
      is_last = end == len(order)
      while end - done >= num_rows or (is_last and done < end):
        batches.append((length, order[done:min(done + num_rows, end)]))
        done = min(done + num_rows, end)
    return batches


def make(tokenizer, num_longest, *, most=None, multiple_of=1):
  """The Batches of a model.

  Args:
    tokenizer: tokens.tokenizer.Tokenizer.
    num_longest: rows of a batch of the longest length; shorter ones have about as many
      tokens.
    most: rows that no batch has more of; None for any number.
    multiple_of: devices that share a batch.
  """
  def num_tokens(length):
    return max(1, kmers.num_tokens(length, k=tokenizer.vocabulary.k, stride=tokenizer.stride))

  own = lengths(tokenizer)
  rows = [num_longest * num_tokens(own[-1]) // num_tokens(length) for length in own]
  rows = rows if most is None else [min(number, most) for number in rows]
  return Batches(own, tuple(-(-number // multiple_of) * multiple_of for number in rows))
