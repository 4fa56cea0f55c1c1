"""Contigs -> windows, in pieces: a chromosome is never in memory.

Three steps, each a generator: `known_runs` drops N, `assign` gives stretches of a
contig to splits, `cut` makes windows. Letters that end up in no window are counted
under one reason each.
"""

import bisect
import dataclasses
import re

import numpy as np

from dnajax.shell import errors

MODES = ("mixed", "fixed")
N_POLICIES = ("split", "delete")
_NUM_DRAWS = 1024             # sizes drawn at a time
_KNOWN = re.compile(rb"[^N]+")


@dataclasses.dataclass(frozen=True)
class Cuts:
  """How windows are cut. Lengths in base pairs.

  mode: "mixed": consecutive windows, half of them of `length`, the others of a
    length drawn uniformly from shortest .. length - 1 (DNABERT, GeneMask, whose
    full windows of 511 bp are 506 overlapping 6-mers); "fixed": windows of
    `length`, one every `stride`.
  shortest: what is left at the end of a stretch is a window of its own if it has
    this many letters.
  stride: of "fixed"; 0 = length, no overlap.
  start_offset: of "mixed": the first 0 .. start_offset known letters of each
    contig, a number drawn uniformly, are left out.
  n_policy: "split": a run of N ends a window; "delete": N is taken out and its
    flanks are joined, as the published preparations did.
  """
  mode: str = "mixed"
  length: int = 511
  shortest: int = 6
  stride: int = 0
  start_offset: int = 1000
  n_policy: str = "split"

  def __post_init__(self):
    if self.mode not in MODES or self.n_policy not in N_POLICIES:
      raise errors.UserError(f"--windows is one of {', '.join(MODES)}; --n_policy one of "
                             f"{', '.join(N_POLICIES)}.")
    if not 0 < self.shortest < self.length:
      raise errors.UserError(f"--shortest_window={self.shortest} has to be between 1 and "
                             f"--window_length={self.length} - 1.")
    if not 0 <= self.stride <= self.length:
      raise errors.UserError(f"--stride={self.stride} has to be between 1 and "
                             f"--window_length={self.length} (0: no overlap).")
    if self.stride and self.mode != "fixed":
      raise errors.UserError("--stride belongs to --windows=fixed.")
    if self.start_offset < 0:
      raise errors.UserError(f"--start_offset={self.start_offset} has to be >= 0.")


def known_runs(pieces, dropped):
  """Takes out N.

  Args:
    pieces: upper-case letters of one contig, in order, as bytes.
    dropped: Counter; N is counted under "bases_n".

  Yields:
    (position in the contig from 0, letters without N). A run that crosses pieces
    comes in parts.
  """
  position = 0
  for letters in pieces:
    num_known = 0
    for match in _KNOWN.finditer(letters):
      num_known += len(match[0])
      yield position + match.start(), match[0]
    if num_known < len(letters):
      dropped["bases_n"] += len(letters) - num_known
    position += len(letters)


def skip(runs, num_letters, dropped):
  """Leaves out the first `num_letters` letters, counted as "bases_before_start"."""
  for position, letters in runs:
    if num_letters:
      here = min(num_letters, len(letters))
      dropped["bases_before_start"] += here
      num_letters -= here
      position, letters = position + here, letters[here:]
    if letters:
      yield position, letters


def assign(runs, split_of, block_length):
  """Gives every stretch of a contig to a split.

  Args:
    runs: as `known_runs` yields them.
    split_of: number of a block -> name of its split; a block is `block_length`
      consecutive positions of the contig.
    block_length: 0 = the whole contig is block 0.

  Yields:
    (split, position, letters).
  """
  for position, letters in runs:
    if not block_length:
      yield split_of(0), position, letters
      continue
    at = 0
    while at < len(letters):
      block = (position + at) // block_length
      end = min(len(letters), (block + 1) * block_length - position)
      yield split_of(block), position + at, letters[at:end]
      at = end


def cut(stretches, cuts, rng, dropped):
  """Cuts windows that never cross from one split into another.

  Args:
    stretches: of one contig, as `assign` yields them.
    cuts: Cuts.
    rng: numpy Generator; decides the sizes of mode "mixed".
    dropped: Counter; "bases_too_short" and "windows_too_short" are counted.

  Yields:
    (split, position of the first base, of the last base, letters).
  """
  sizes, rest = _sizes(cuts, rng), None
  for split, position, letters in stretches:
    is_gap = rest is not None and position != rest.next_position
    if rest is not None and (split != rest.split or is_gap and cuts.n_policy == "split"):
      yield from rest.close(cuts, dropped)
      rest = None
    if rest is None:
      rest = _Rest(split, next(sizes))
    rest.append(position, letters)
    yield from rest.full_windows(sizes)
  if rest is not None:
    yield from rest.close(cuts, dropped)


def _sizes(cuts, rng):
  """Yields (length of the next window, how far behind it the one after it starts)."""
  while cuts.mode == "fixed":
    yield cuts.length, cuts.stride or cuts.length
  while True:
    is_full = rng.random(_NUM_DRAWS) < 0.5
    short = rng.integers(cuts.shortest, cuts.length, _NUM_DRAWS)
    for size in np.where(is_full, cuts.length, short).tolist():
      yield size, size


class _Rest:
  """The letters of a stretch that are in no window yet, or needed again."""

  def __init__(self, split, size):
    self.split, self.next_position = split, None
    self._size = size
    self._letters, self._overlap = b"", 0
    self._starts, self._positions = [], []       # where in `_letters` which run starts

  def append(self, position, letters):
    if position != self.next_position:
      self._starts.append(len(self._letters))
      self._positions.append(position)
    self._letters += letters
    self.next_position = position + len(letters)

  def full_windows(self, sizes):
    """Yields the windows there are letters for, and forgets what no window needs."""
    at = 0
    while at + self._size[0] <= len(self._letters):
      length, step = self._size
      yield self._window(at, at + length)
      at, self._overlap, self._size = at + step, length - step, next(sizes)
    if at:
      first = bisect.bisect_right(self._starts, at) - 1
      moved = self._positions[first] + at - self._starts[first]
      self._starts = [0, *(start - at for start in self._starts[first + 1:])]
      self._positions = [moved, *self._positions[first + 1:]]
      self._letters = self._letters[at:]

  def close(self, cuts, dropped):
    """What is left at the end of a stretch: a shorter window, or too short."""
    uncovered = len(self._letters) - self._overlap
    if uncovered and len(self._letters) >= cuts.shortest:
      yield self._window(0, len(self._letters))
    elif uncovered:
      dropped["windows_too_short"] += 1
      dropped["bases_too_short"] += uncovered

  def _window(self, first, end):
    return (self.split, self._position(first), self._position(end - 1),
            self._letters[first:end])

  def _position(self, at):
    run = bisect.bisect_right(self._starts, at) - 1
    return self._positions[run] + at - self._starts[run]
