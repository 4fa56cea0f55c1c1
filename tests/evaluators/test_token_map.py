"""The token table: letters, neighbours, shares by chance, the picture."""

import evaluating
import numpy as np
import pytest

from dnajax.evaluators import scores, token_map
from dnajax.shell import errors
from dnajax.tokens import vocabulary as vocabulary_lib

pytest.importorskip("sklearn")


@pytest.mark.parametrize("vocabulary", [
    vocabulary_lib.Vocabulary(3), vocabulary_lib.Vocabulary(3, add_cls=True),
    vocabulary_lib.Vocabulary(3, layout="dnabert"),
    vocabulary_lib.Vocabulary(2, n_policy="in_vocabulary")])
def test_letters_are_those_of_the_kmers_without_n_and_without_specials(vocabulary):
  ids, words = token_map.letters(vocabulary)
  assert len(ids) == 4**vocabulary.k
  assert ["".join(word) for word in words] == [vocabulary.names()[i] for i in ids]
  assert set(words.ravel()) == set("ACGT")


@pytest.mark.parametrize(("word", "centre", "ends"), [
    ("ACGTCA", "GT", "AA"), ("ACGTC", "GT", "AC"), ("ACGT", "CG", "AT"), ("ACG", "CG", "AG"),
    ("AC", "AC", "AC")])
def test_parts_of_even_and_odd_kmers(word, centre, ends):
  got = token_map.parts(np.array([list(word)]))
  assert (got["centre"][0], got["ends"][0]) == (centre, ends)


def test_nearest_other_is_the_definition_also_for_equal_rows():
  rows = np.random.default_rng(0).normal(size=(25, 4)).astype(np.float32)
  rows[7] = rows[3]
  unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
  cosine = unit @ unit.T - 9 * np.eye(25)
  np.testing.assert_array_equal(token_map.nearest_other(rows), cosine.argmax(axis=1))


def test_share_by_chance_is_that_of_all_pairs_and_has_a_formula():
  _, words = token_map.letters(vocabulary_lib.Vocabulary(4))
  classes = token_map.parts(words)["centre"]
  pairs = [a == b for i, a in enumerate(classes) for j, b in enumerate(classes) if i != j]
  assert scores.agreement_by_chance(classes) == pytest.approx(np.mean(pairs))
  assert scores.agreement_by_chance(classes) == pytest.approx((4**2 - 1) / (4**4 - 1))


@pytest.mark.parametrize("planted", ["centre", "ends"])
def test_a_table_ordered_by_one_part_shows_that_part(planted):
  rng = np.random.default_rng(0)
  _, words = token_map.letters(vocabulary_lib.Vocabulary(4))
  classes = np.unique(token_map.parts(words)[planted], return_inverse=True)[1]
  table = rng.normal(size=(16, 8))[classes] + 0.01 * rng.normal(size=(256, 8))
  got = evaluating.values(
      token_map.Runner(lambda params: table, words, method="pca"), None)
  other = {"centre": "ends", "ends": "centre"}[planted]
  assert got[f"same_{planted}"] == 1 and got["num_tokens"] == 256
  assert got[f"same_{other}"] < 0.3
  assert got[f"same_{other}_by_chance"] == pytest.approx(15 / 255)


def make(data_dir, **options):
  return evaluating.build_on(data_dir, "token_map", **dict(method="pca") | options)


def test_the_picture_shows_the_kmers_of_each_centre_and_no_special_token(tiny_data):
  pytest.importorskip("matplotlib")
  evaluator, params = make(tiny_data)
  assert evaluator.figures() == {}
  got = evaluating.values(evaluator, params)
  assert got["num_tokens"] == 64 and 0 <= got["same_centre"] <= 1
  fig = evaluator.figures()["token_map"]
  colours = [tuple(colour) for points in fig.axes[0].collections
             for colour in points.get_facecolors()]
  assert len(fig.axes[0].collections) == 4 and len(colours) == 64
  assert [colours.count(colour) for colour in set(colours)] == [16] * 4
  assert [text.get_text() for text in fig.legends[0].get_texts()] == [
      a + b for a in "ACGT" for b in "ACGT"]
  broken = {"encoder": {"word": np.full((66, 16), np.nan)}}
  assert np.isnan(evaluating.values(evaluator, broken)["same_centre"]) and evaluator.figures() == {}


def test_fewer_tokens_in_the_picture_change_no_number(tiny_data):
  pytest.importorskip("matplotlib")
  few, params = make(tiny_data, max_tokens=10)
  whole, _ = make(tiny_data)
  assert evaluating.values(few, params) == evaluating.values(whole, params)
  axes = few.figures()["token_map"].axes[0]
  assert sum(len(points.get_offsets()) for points in axes.collections) == 10


def test_kmers_of_one_nucleotide_are_refused(tiny_data):
  with pytest.raises(errors.UserError, match="tokens.k >= 2"):
    make(tiny_data, spec=evaluating.model(k=1))
