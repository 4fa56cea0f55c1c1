"""Counts of all n-grams of DNA, n = 1..10, in one pass over any number of files.

Only one number is looked up per base: that of the longest window that starts there.
A window has 10 letters, or fewer where an unknown letter or the end of the record
comes first. Shorter n-grams are the beginnings of these windows, so that their
counts are sums over the table of windows and nothing else is ever counted.
"""

import concurrent.futures
import dataclasses
import itertools
import operator
import threading

import numpy as np
import tqdm

from data_pipelines import cleaning, fasta, formats
from dnajax.tokens import bases as base_codes

LONGEST = 10
_LETTERS = 1 << 20            # per block: 8 MB of window numbers, twice while counted
_END = b"\n"                  # between records; unknown, but no letter of a file
_BYTES = cleaning.upper(bytes(range(256)))    # what each byte of a file stands for
_CODES = base_codes.encode(_BYTES).tobytes()
_ALLOWED = bytes(byte for byte, letter in enumerate(_BYTES) if letter in cleaning.IUPAC)


@dataclasses.dataclass(frozen=True)
class Counts:
  """What was counted.

  of: {n: [4**n] int64} for n = 1..LONGEST, n-grams in ACGT order.
  num_records, num_letters, num_unknown: of the files; unknown are all letters
    but A, C, G, T (and U, which is read as T).
  """
  of: dict
  num_records: int
  num_letters: int
  num_unknown: int


def count(paths, *, num_threads=2, show_progress=True):
  """Counts the n-grams of FASTA files on the strand that is written there.

  Lower case counts like upper case. An n-gram with N or another ambiguity letter is
  no n-gram.

  Args:
    paths: FASTA files, plain or compressed.
    num_threads: blocks counted at the same time, besides reading.
    show_progress: a bar in base pairs.

  Returns:
    Counts.

  Raises:
    UserError: a file is not FASTA, is damaged, or holds other letters; with the line.
  """
  for path in paths:                        # all of them, before minutes of work
    formats.require_fasta(path)
  tally = _Tally()
  # A few blocks wait, no more: reading may be faster than counting.
  slots = threading.Semaphore(num_threads + 1)

  def work(block):
    try:
      tally.add(block)
    finally:
      slots.release()
  with (concurrent.futures.ThreadPoolExecutor(num_threads) as pool,
        tqdm.tqdm(desc="counting", unit=" bp", unit_scale=True, mininterval=0.5, delay=1,
                  disable=not show_progress) as bar):
    jobs = []
    for block in _blocks(paths, tally, bar):
      slots.acquire()
      for job in jobs:
        if job.done():
          job.result()                      # raises what the thread raised
      jobs = [job for job in jobs if not job.done()]
      jobs.append(pool.submit(work, block))
    for job in jobs:
      job.result()
  of = _shorter(tally.windows)
  num_known = int(of[1].sum())
  return Counts(of=of, num_records=tally.num_records, num_letters=tally.num_letters,
                num_unknown=tally.num_letters - num_known)


def count_sequences(sequences):
  """{n: [4**n] counts} of n-grams within each of many short sequences.

  Args:
    sequences: upper-case text; no n-gram crosses from one into the next.
  """
  tally, parts, size = _Tally(), [], 0
  for sequence in itertools.chain(sequences, [None]):
    if sequence is None or size >= _LETTERS:
      tally.add(_END.join([*parts, _END * LONGEST]))
      parts, size = [], 0
    if sequence is not None:
      parts.append(sequence.encode("ascii"))
      size += len(sequence)
  return _shorter(tally.windows)


def _blocks(paths, tally, bar):
  """The letters of all files in blocks; each begins with the last 9 of the one before,
  which are only looked ahead to in the other one."""
  parts, size, carry = [], 0, b""
  for letters in _pieces(paths, tally):
    bar.update(len(letters))
    parts.append(letters)
    size += len(letters)
    if size >= _LETTERS:
      text = carry + b"".join(parts)
      for first in range(0, len(text) - LONGEST + 1, _LETTERS):
        yield text[first:first + _LETTERS + LONGEST - 1]
      carry, parts, size = text[-(LONGEST - 1):], [], 0
  yield carry + b"".join(parts) + _END * (LONGEST - 1)


def _pieces(paths, tally):
  """The letters of all files, _END behind each record."""
  for path in paths:
    for (line, _), pieces in itertools.groupby(
        fasta.read_pieces(path), operator.itemgetter(0, 1)):
      tally.num_records += 1
      for _, _, letters in pieces:
        other = letters.translate(None, _ALLOWED)
        if other:
          raise fasta.explain_letters(path, line, other)
        tally.num_letters += len(letters)
        yield letters
      yield _END


class _Tally:
  """How often each window was seen, filled by several threads."""

  def __init__(self):
    self.windows = {n: np.zeros(4 ** n, np.int64) for n in range(1, LONGEST + 1)}
    self.num_records = self.num_letters = 0
    self._lock = threading.Lock()

  def add(self, block):
    """Counts the windows that start in a block, but for its last LONGEST - 1 letters."""
    numbers, tails = windows(np.frombuffer(block.translate(_CODES), np.uint8))
    counts = np.bincount(numbers, minlength=4 ** LONGEST)
    tails = {n: np.bincount(tail, minlength=4 ** n) for n, tail in tails.items()}
    with self._lock:
      self.windows[LONGEST] += counts
      for n, tail in tails.items():
        self.windows[n] += tail


def windows(codes):
  """Numbers of the windows at all positions but the last LONGEST - 1.

  Args:
    codes: [n] uint8 base codes; above 3 is unknown and no part of a window.

  Returns:
    ([m] numbers of the windows of LONGEST letters, {length: numbers of the windows
    that are only that long}); numbers are in base 4, the first letter highest.
  """
  known = codes <= 3
  if known.all():
    return _numbers(codes), {}
  numbers = _numbers(codes & 3)
  is_whole = known[:len(numbers)].copy()
  # Where a run of unknown letters begins, the windows before it end.
  begins = np.flatnonzero(~known & np.append(True, known[:-1]))
  tails, is_open = {}, np.ones(len(begins), bool)
  for n in range(1, LONGEST):
    at = begins - n
    is_open &= (at >= 0) & known[at]          # no unknown letter between; at < 0 is closed
    here = at[is_open & (at < len(numbers))]
    is_whole[here] = False
    if len(here):
      tails[n] = numbers[here] >> 2 * (LONGEST - n)
  return numbers[is_whole], tails


def _numbers(codes):
  """Base-4 numbers of all windows of LONGEST = 10 letters, built by doubling."""
  two = (codes[:-1] << 2) | codes[1:]                       # uint8: 4 bits of 8
  four = (two[:-2] << 4) | two[2:]                          # 8 bits
  eight = four.astype(np.uint16)[:-4] << 8
  eight |= four[4:]
  out = eight[:-2].astype(np.intp)                          # what bincount works on
  out <<= 4
  out |= two[8:]
  return out


def _shorter(table):
  """{n: windows of exactly n letters} -> {n: counts of n-grams}."""
  of = {LONGEST: table[LONGEST]}
  for n in range(LONGEST - 1, 0, -1):
    of[n] = table[n] + of[n + 1].reshape(-1, 4).sum(1)
  return of


def beginnings(counts):
  """Counts of shorter n-grams as far as longer ones hold them.

  Args:
    counts: [4**k] counts of k-mers.

  Returns:
    {n: [4**n]} for n = 1..k; all but those in the last k - n letters of a run.
  """
  k = round(np.log2(len(counts)) / 2)
  return {n: counts.reshape(4 ** n, -1).sum(1) for n in range(1, k + 1)}


def merge_strands(of):
  """Adds the counts of the reverse complements. {n: [4**n]} -> the same."""
  return {n: table + reverse_complement(table) for n, table in of.items()}


def reverse_complement(table):
  """A table [4**n] with the entry of each n-gram at the place of its other strand."""
  n = round(np.log2(len(table)) / 2)
  letters = table.reshape((4,) * n)                         # the first letter is axis 0
  return letters.transpose(range(n - 1, -1, -1))[(slice(None, None, -1),) * n].reshape(-1)
