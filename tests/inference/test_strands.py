"""Which strand a read is of: against counting words."""

import math

import numpy as np
import oracles
import pytest

from dnajax.inference import strands
from dnajax.tokens import bases as base_codes
from dnajax.tokens import kmers


def words(text):
  return [text[i:i + 4] for i in range(len(text) - 3) if set(text[i:i + 4]) <= set("ACGT")]


def other_strand(text):
  return "".join({"A": "T", "C": "G", "G": "C", "T": "A"}.get(x, x) for x in reversed(text))


@pytest.mark.parametrize("length", [1, 3, 4, 9, 60])
def test_strands_are_chosen_by_the_likelihood_of_their_words(length):
  rng = np.random.default_rng(length)
  known, rows = (oracles.random_codes(rng, n, length) for n in (7, 40))
  found = [word for row in known for word in words(oracles.text(row))]
  counts = strands.profile(known)
  assert counts.sum() == len(found) and len(counts) == strands.NUM
  likely = lambda text: sum(math.log(found.count(word) + 1) for word in words(text))
  got = strands.is_reversed(rows, strands.gain(counts))
  for row, turned in zip(rows, got, strict=True):
    text = oracles.text(row).rstrip(".").replace(".", "N")
    gain = likely(other_strand(text)) - likely(text)
    assert turned == (gain > 0) or abs(gain) < 1e-3


def test_of_a_read_and_its_other_strand_at_most_one_is_turned():
  rows = oracles.random_codes(np.random.default_rng(0), 200, 30)
  turned = np.asarray(kmers.reverse_complement(rows))
  gain = strands.gain(strands.profile(rows[:50]))
  both = strands.is_reversed(rows, gain), strands.is_reversed(turned, gain)
  assert not (both[0] & both[1]).any() and (both[0] | both[1]).mean() > 0.8
  assert not strands.is_reversed(np.full((2, 30), base_codes.PAD, np.uint8), gain).any()


def test_the_other_strand_of_a_text_is_that_of_its_codes():
  rows = oracles.random_codes(np.random.default_rng(0), 20, 15)
  texts = [bytes(b"ACGTN"[code] for code in row if code != base_codes.PAD) for row in rows]
  np.testing.assert_array_equal(
      base_codes.encode_batch([strands.reverse_complement(text) for text in texts], 15),
      kmers.reverse_complement(rows))
