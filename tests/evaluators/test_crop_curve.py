"""Accuracy by length of the query: windows against slicing, whole queries against knn."""

import evaluating
import numpy as np
import oracles
import pytest

from dnajax.evaluators import crop_curve, figures
from dnajax.shell import errors
from dnajax.tokens import bases as base_codes

KMERS = dict(features="kmer_counts", k=3, square_root=True)


@pytest.mark.parametrize("length", [0, 1, 7, 19, 20, 50])
def test_a_window_is_a_slice_of_its_row(length):
  rng = np.random.default_rng(length)
  bases, places = oracles.random_codes(rng, 12, 20), rng.random(12)
  places[:2] = 0, 1 - 1e-9                      # the first and the last window
  for row, place, got in zip(bases, places, crop_curve.crop(bases, length, places),
                             strict=True):
    codes = row[row != base_codes.PAD].tolist()
    windows = ([codes] if length == 0 or len(codes) <= length else
               [codes[i:i + length] for i in range(len(codes) - length + 1)])
    assert got[got != base_codes.PAD].tolist() == windows[int(place * len(windows))]
    assert got.shape == row.shape and (got[len(windows[0]):] == base_codes.PAD).all()


def test_places_depend_on_the_record_alone():
  many = crop_curve.draw_places(0, np.array([5, 900, 17]))
  np.testing.assert_array_equal(many[1:2], crop_curve.draw_places(0, [900]))
  assert len(set(many)) == 3 and not np.array_equal(
      many, crop_curve.draw_places(1, [5, 900, 17]))
  assert abs(crop_curve.draw_places(0, range(2_000)).mean() - 0.5) < 0.03


@pytest.mark.parametrize("entry", [dict(), dict(frames=3), dict(centre=False), KMERS])
def test_whole_queries_are_the_1nn_evaluator(tiny_data, entry):
  got = evaluating.run_of(tiny_data, "crop_curve", lengths=[40, 0], batch_size=16, **entry)
  knn = evaluating.run_of(tiny_data, "knn", key_split="train", query_split="unseen",
                          label="genus", batch_size=16, **{"centre": True, **entry})
  assert got["accuracy_whole"] == pytest.approx(knn["accuracy"], abs=1e-6)
  assert 0 <= got["accuracy_40"] <= 1 and got["num_queries"] == knn["num_queries"]


def test_features_that_are_not_finite_give_nan(tiny_data):
  import jax
  runner, params = evaluating.build_on(tiny_data, "crop_curve", lengths=[40], batch_size=16)
  got = evaluating.values(runner, jax.tree.map(lambda x: x * np.nan, params))
  assert np.isnan(got["accuracy_40"])


def test_the_figure_shows_the_reference_beside_the_encoder(tiny_data):
  pytest.importorskip("matplotlib")
  other = evaluating.part("crop_curve", lengths=[30, 0], **KMERS)
  made = evaluating.part("crop_curve", lengths=[30, 0], batch_size=16, reference="kmers",
                         evals={"kmers": other})
  context = evaluating.context(tiny_data, evals={"kmers": other})
  runner = made.build(context)
  assert runner.figures() == {} and made.others == ("kmers",) and other.task == made.task
  got = evaluating.values(runner, evaluating.params(context.model))
  want = evaluating.values(other.build(context), None)
  lines = runner.figures()["crop_curve"].axes[0].lines
  assert [line.get_label() for line in lines] == ["encoder", "3-mer counts, square roots"]
  for line, values in zip(lines, (got, want), strict=True):
    np.testing.assert_allclose(line.get_xydata(), [
        [30, 100 * values["accuracy_30"]], [72, 100 * values["accuracy_whole"]]])


def test_whole_queries_have_their_word_on_the_axis():
  pytest.importorskip("matplotlib")
  axes = figures.accuracy_by_length({"a": {100: 0.2, 0: 0.9}}, 658).axes[0]
  assert [text.get_text() for text in axes.get_xticklabels()] == ["100", "whole"]
  assert "base pairs" in axes.get_xlabel() and "%" in axes.get_ylabel()


@pytest.mark.parametrize(("option", "value", "text"), [
    ("lengths", [200, 100], "increasing"), ("lengths", [0, 100], "increasing"),
    ("lengths", [], "increasing"), ("lengths", [-1], "increasing"),
    ("frames", 0, "at least 1"), ("square_root", True, "kmer_counts"),
    ("reference", "nothing", "crop_curve"), ("features", "majority", "kmer_counts")])
def test_wrong_options_are_refused_by_name(option, value, text):
  with pytest.raises(errors.UserError, match=text) as error:
    evaluating.part("crop_curve", evals={}, **{option: value})
  assert option in str(error.value)
