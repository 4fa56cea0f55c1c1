"""Shifting rows to a consensus, against trying every shift by hand."""

import numpy as np
import pytest

from dnajax.tokens import align, bases


def family(rng, num_rows, length, *, most=6, noise=0.15):
  """(rows that begin up to `most` letters later or earlier than a gene, their shifts)."""
  gene = rng.integers(0, 4, length + 2 * most)
  starts = rng.integers(0, 2 * most + 1, num_rows)
  rows = np.stack([gene[start:start + length] for start in starts])
  noisy = rng.random(rows.shape) < noise
  return np.where(noisy, rng.integers(0, 4, rows.shape), rows).astype(np.uint8), starts


def by_hand(row, letters):
  """The shift with most letters in common, and their number."""
  best = (0, sum(int(c < 4 and "ACGT"[c] == letter)
                 for c, letter in zip(row, letters, strict=True)))
  for shift in range(-len(row) + 1, len(row)):
    number = sum(int(0 <= i + shift < len(row) and c < 4 and "ACGT"[c] == letters[i + shift])
                 for i, c in enumerate(row))
    if number > best[1]:
      best = (shift, number)
  return best


def test_rows_go_where_most_letters_agree():
  rows, _ = family(np.random.default_rng(0), 12, 40)
  letters = "".join("ACGT"[c] for c in rows[0])
  moved = np.asarray(align.to_consensus(rows, letters))
  for row, then in zip(rows, moved, strict=True):
    shift, number = by_hand(row, letters)
    expected = [row[i - shift] if 0 <= i - shift < 40 else (4 if i < shift else 5)
                for i in range(40)]
    np.testing.assert_array_equal(then, expected)
    assert number == sum("ACGT"[c] == letter for c, letter in
                         zip(then, letters, strict=True) if c < 4)


def test_consensus_puts_rows_side_by_side():
  rows, starts = family(np.random.default_rng(1), 200, 120)
  letters = align.consensus(rows)
  moved = np.asarray(align.to_consensus(rows, letters))
  first = np.array([(row != bases.UNKNOWN).argmax() for row in moved])
  back = np.array([(row != bases.PAD).sum() for row in moved])
  shift = np.where(first > 0, first, back - 120)
  # All differ from the starts by one number: the frame of the consensus is free.
  assert np.mean(shift - starts == np.bincount(shift - starts + 50).argmax() - 50) > 0.95


@pytest.mark.parametrize("row", [[4] * 8, [5] * 8])
def test_rows_without_letters_stay(row):
  row = np.array([row], np.uint8)
  np.testing.assert_array_equal(align.to_consensus(row, "ACGTACGT"), row)


def test_short_reads_find_their_place():
  rng = np.random.default_rng(2)
  gene = rng.integers(0, 4, 200).astype(np.uint8)
  read = np.full((1, 200), bases.PAD, np.uint8)
  read[0, :50] = gene[120:170]
  moved = np.asarray(align.to_consensus(read, "".join("ACGT"[c] for c in gene)))
  np.testing.assert_array_equal(moved[0, 120:170], gene[120:170])
  assert (moved[0, :120] == bases.UNKNOWN).all() and (moved[0, 170:] == bases.PAD).all()


@pytest.mark.parametrize("is_moved", [False, True])
def test_shares_are_those_of_the_letters_at_a_place(is_moved):
  rows, _ = family(np.random.default_rng(3), 700, 20)      # more than are aligned at a time
  rows[0, 3] = bases.UNKNOWN
  letters = align.consensus(rows) if is_moved else ""
  placed = np.asarray(align.to_consensus(rows, letters)) if is_moved else rows
  digits = align.shares(rows, letters)
  assert len(digits) == 80
  found = align.read_shares(digits, 22)
  for place in range(20):
    known = placed[:, place][placed[:, place] < 4]
    for code in range(4):
      assert abs(found[place, code] - np.mean(known == code)) <= 1 / 30 + 1e-6
  np.testing.assert_array_equal(found[20:], 0.25)          # nothing is known of these
