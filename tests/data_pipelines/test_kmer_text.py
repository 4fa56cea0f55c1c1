"""Overlapping k-mers back to letters: equal to what they were made of, or refused."""

import random

import pytest
from labelled_runs import draw, spaced

from data_pipelines import kmer_text


@pytest.mark.parametrize("k", [1, 2, 3, 6])
def test_kmers_decode_to_the_sequence_they_were_made_of(k):
  rng = random.Random(k)
  for length in (k, k + 1, k + 2, 40):
    sequence = draw(rng, length)
    assert kmer_text.decode(spaced(sequence, k)) == sequence
    assert kmer_text.decode(spaced(sequence.lower(), k)) == sequence.lower()


def test_a_change_of_any_letter_inside_the_kmers_is_noticed():
  sequence = draw(random.Random(0), 12)
  words = spaced(sequence).split()
  for i in range(len(words)):
    for j in range(6):
      changed = words[i][:j] + ("A" if words[i][j] != "A" else "C") + words[i][j + 1:]
      text = " ".join([*words[:i], changed, *words[i + 1:]])
      if (i, j) in ((0, 0), (len(words) - 1, 5)):       # in one word only: another sequence
        assert kmer_text.decode(text) != sequence
      else:
        with pytest.raises(kmer_text.NoOverlapError):
          kmer_text.decode(text)


@pytest.mark.parametrize("text", ["ACGTACGTAC GTACGTACGT", "ACGT CGT", "ACG CGTT", "ACG CGT T"])
def test_words_that_are_no_kmers_are_refused(text):
  with pytest.raises(kmer_text.NoOverlapError, match="word [23]"):
    kmer_text.decode(text)
