"""Identity by alignment against a table of edit distances, and what ends may cost."""

import numpy as np
import pytest

from dnajax.identification import alignment

RNG = np.random.default_rng(0)


def random_text(length):
  return "".join(RNG.choice(list("ACGT"), length))


def changed(text, number):
  letters = list(text)
  for place in RNG.choice(len(text), number, replace=False):
    letters[place] = "ACGT"["TACG".index(letters[place])]
  return "".join(letters)


def slow_distance(query, reference, *, pad=0, is_free=False):
  """Least edits of the whole query into the reference; is_free: into any part of it with
  `pad` unknown letters at both ends."""
  target = "?" * pad + reference + "?" * pad
  row = [0] * (len(target) + 1) if is_free else list(range(len(target) + 1))
  for i, a in enumerate(query, 1):
    above, row = row, [i]
    for j, b in enumerate(target, 1):
      row.append(min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a != b and b != "?")))
  return min(row) if is_free else row[-1]


def test_a_sequence_is_identical_to_itself_and_to_its_parts():
  text = random_text(300)
  assert alignment.identity(text, text) == (1, 300)
  for part in (text[40:], text[:-60], text[50:200], text[100:150]):
    assert alignment.identity(part, text)[0] == alignment.identity(text, part)[0] == 1


def test_ends_that_only_one_sequence_has_cost_nothing():
  text = random_text(400)
  share, overlap = alignment.identity(text[:340], text[60:])     # 280 bp in common
  assert (share, overlap) == (1, 280)


def test_unknown_bases_are_no_difference_and_are_not_counted():
  text = random_text(200)
  hidden = text[:80] + "N" * 40 + text[120:]
  assert alignment.identity(hidden, text)[0] == 1
  share, _ = alignment.identity(changed(hidden[:80], 8) + hidden[80:], text)
  assert share == pytest.approx(1 - 8 / 160)


@pytest.mark.parametrize("number", [0, 5, 20])
def test_identity_of_sequences_that_begin_and_end_alike_is_of_all_their_bases(number):
  text = random_text(140)
  query = text[:30] + changed(text[30:80], number) + text[83:]        # and a gap
  share, overlap = alignment.identity(query, text)
  assert overlap == len(query)
  assert (1 - share) * len(text) == pytest.approx(slow_distance(query, text))


@pytest.mark.parametrize("number", [0, 5, 20])
def test_identity_of_other_ends_is_of_where_they_overlap(number):
  text = random_text(140)
  query = random_text(11) + changed(text[:120], number)
  share, overlap = alignment.identity(query, text)
  want = slow_distance(query, text, pad=len(query) // 5, is_free=True)
  assert (1 - share) * overlap == pytest.approx(want)
  assert len(query) * 4 / 5 <= overlap <= len(query)
  if not number:
    assert share == 1 and overlap == 120


def test_a_lower_bound_changes_nothing_above_it():
  for number in (0, 10, 40, 90):
    text = random_text(200)
    query = changed(text, number)
    exact, _ = alignment.identity(query, text)
    assert alignment.identity(query, text, at_least=.7)[0] == max(exact, .7)


def test_odd_sequences_do_not_break():
  assert alignment.identity("", "ACGT", at_least=.6) == (.6, 0)
  assert alignment.identity("A", "ACGTACGTACGT" * 5)[0] == 1
  assert 0 <= alignment.identity("N" * 30, random_text(60))[0] <= 1
