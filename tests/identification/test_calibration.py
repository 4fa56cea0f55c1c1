"""Probabilities against their definitions, slowly."""

import itertools

import numpy as np
import pytest

from dnajax.identification import by_length, calibration, calibrator

RNG = np.random.default_rng(0)


def evidence_of(values, taxa=None, elsewhere=None):
  values = np.asarray(values)
  nothing = np.zeros((len(values), 0), np.int32)
  return calibrator.Evidence(values, nothing if taxa is None else taxa,
                             nothing if elsewhere is None else elsewhere)


def fit(values, is_right, taxa=None):
  """Every query is a group of its own."""
  return calibrator.fit(evidence_of(values, taxa), is_right, np.arange(len(values)))


def made_up(num=4_000):
  """Evidence, and answers that are right as often as a known curve says."""
  evidence = RNG.normal(size=(num, 2)) * [1.0, 30.0] + [5.0, -40.0]
  likely = 1 / (1 + np.exp(-2 * (evidence[:, 0] - 5) - .05 * (evidence[:, 1] + 40)))
  return evidence, RNG.random(num) < likely, likely


def test_probabilities_are_what_the_answers_came_from():
  evidence, is_right, likely = made_up()
  said = fit(evidence, is_right).probability(evidence_of(evidence))
  assert np.abs(said - likely).mean() < .03
  others, is_right, _ = made_up()
  fresh = fit(evidence, is_right).probability(evidence_of(others))
  assert ((fresh > 0) & (fresh < 1)).all()


def test_a_curve_that_is_no_logistic_one_is_learned_too():
  evidence = RNG.random((5_000, 1))
  likely = np.where(evidence[:, 0] > .5, .9, .2)
  is_right = RNG.random(5_000) < likely
  said = fit(evidence, is_right).probability(evidence_of(evidence))
  assert calibration.expected_error(said, is_right) < .02
  assert np.abs(said - likely).mean() < .04


def test_answers_that_are_all_right_are_nearly_but_not_quite_certain():
  said = fit(RNG.random((50, 2)), np.ones(50, bool)).probability(evidence_of([[9, 9], [0, 0]]))
  assert (said > .98).all() and (said < 1).all()


def test_what_is_known_of_other_taxa_says_which_are_there_and_not_which_name_is_right():
  has, is_right = RNG.random(2_000) < .5, RNG.random(2_000) < .7
  evidence = evidence_of(RNG.normal(size=(2_000, 1)), elsewhere=np.where(has, 0., 1.)[:, None])
  known = calibration.fit_known(evidence, is_right & has, has, np.arange(2_000))
  ratio = known.ratio(evidence)
  assert ratio[has].min() > 5 and ratio[~has].max() < .2
  moved = calibrator.Evidence(evidence.values, evidence.taxa, 1 - evidence.elsewhere)
  np.testing.assert_array_equal(known.right(evidence), known.right(moved))


def test_better_evidence_never_lowers_a_probability():
  evidence, is_right, _ = made_up()
  fitted = fit(evidence, is_right)
  line = np.stack([np.linspace(0, 10, 50), np.full(50, -40)], axis=1)
  assert (np.diff(fitted.probability(evidence_of(line))) >= 0).all()


def test_what_evidence_is_worth_in_a_taxon_is_learned_as_far_as_there_are_queries():
  """Ten classes with offsets of their own, some with many queries, some with few or none."""
  offsets = np.array([2, -2, 1, -1, 0, 2, -2, 1, 2, 0.])
  counts = np.array([900] * 5 + [40] * 3 + [0, 0])
  number = np.arange(10).repeat(counts)
  values = RNG.normal(size=(len(number), 1))
  is_right = RNG.random(len(number)) < 1 / (1 + np.exp(-2 * values[:, 0] - offsets[number]))
  phyla = np.full(len(number), -1)
  fitted = fit(values, is_right, np.stack([phyla, number], axis=1))
  asked = np.stack([[-1] * 11, [*range(10), -1]], axis=1)
  said = fitted.probability(evidence_of(np.zeros((11, 1)), asked))
  want = 1 / (1 + np.exp(-offsets))
  np.testing.assert_allclose(said[:5], want[:5], atol=.06)
  assert (said[5:8] > said[10]).tolist() == (offsets[5:8] > 0).tolist()
  assert (np.abs(said[5:7] - .5) < np.abs(want[5:7] - .5)).all()    # shrunk
  np.testing.assert_array_equal(said[8:10], said[10])               # unseen: no offset


def test_steps_are_learned_from_what_others_say_of_a_group():
  """Genera differ, families are their accidents: fresh genera show how little is known."""
  def drawn():
    genera = np.arange(240).repeat(20)
    values = RNG.normal(size=(4_800, 1))
    logits = values[:, 0] + 4 * RNG.normal(size=240)[genera]
    return (evidence_of(values, genera[:, None] // 2), RNG.random(4_800) < 1 / (
        1 + np.exp(-logits)), genera)

  evidence, is_right, genera = drawn()
  others, truth, _ = drawn()
  error = [calibration.expected_error(
      calibrator.fit(evidence, is_right, groups).probability(others), truth)
           for groups in (genera, np.arange(4_800))]
  assert error[0] < .1 and 2 * error[0] < error[1] > .15


def test_calibration_error_is_the_weighted_gap_of_ten_bins():
  said, is_right = RNG.random(500), RNG.random(500) < .5
  want = 0
  for low in np.arange(10) / 10:
    inside = (said >= low) & (said < low + .1)
    want += inside.mean() * abs(said[inside].mean() - is_right[inside].mean())
  assert calibration.expected_error(said, is_right) == pytest.approx(want)
  assert sum(n for *_, n in calibration.bins(np.array([0., 1., 1.]), [0, 1, 1])) == 3


def test_auroc_is_the_share_of_pairs_in_order():
  scores, positive = RNG.integers(0, 6, 40), RNG.random(40) < .4
  pairs = itertools.product(scores[positive], scores[~positive])
  want = np.mean([1 if a > b else .5 if a == b else 0 for a, b in pairs])
  assert calibration.auroc(scores, positive) == pytest.approx(want)
  assert np.isnan(calibration.auroc([1, 2], [True, True]))


def test_threshold_is_the_lowest_with_the_precision():
  said = RNG.random(300)
  found = calibration.threshold(said, .8)
  assert said[said >= found].mean() >= .8
  lower = said[said < found].max()
  assert said[said >= lower].mean() < .8
  assert calibration.threshold([.1, .3, .2], .95) == .3      # never: the surest only


def test_a_name_is_right_if_its_taxon_is_known_and_found():
  known, unknown = RNG.normal(1, 1, (4_000, 1)), RNG.normal(-1, 1, (1_000, 1))
  is_right, has = RNG.random(5_000) < .8, np.arange(5_000) < 4_000
  fitted = calibration.fit_known(
      evidence_of(np.concatenate([known, unknown])), is_right, has, np.arange(5_000))
  assert fitted.share == .8
  evidence = evidence_of(np.linspace(-2, 2, 9)[:, None])
  for share in (.2, .5):
    has = calibration.known(fitted.ratio(evidence), share)
    odds = (1 - share) / share * np.exp(2 * evidence.values[:, 0])      # of two normal densities
    np.testing.assert_allclose(has, odds / (1 + odds), atol=.1)
    np.testing.assert_allclose(has * fitted.found.probability(evidence), has * .8, atol=.06)


def test_the_share_of_unknown_taxa_is_found_whatever_it_was_in_the_fit():
  def drawn(num_known, num_unknown):
    return evidence_of(np.concatenate([RNG.normal(1.5, 1, (num_known, 1)),
                                       RNG.normal(-1.5, 1, (num_unknown, 1))]))

  has = np.arange(4_000) < 2_000
  fitted = calibration.fit_known(drawn(2_000, 2_000), has, has, np.arange(4_000))
  for num_unknown in (100, 600, 1_400):
    ratio = fitted.ratio(drawn(2_000 - num_unknown, num_unknown))
    for prior in (.05, .5):
      assert calibration.unknown_share(ratio, np.ones(2_000), prior) == pytest.approx(
          num_unknown / 2_000, abs=.03)
  assert calibration.unknown_share(ratio[:0], np.ones(0), .05) == pytest.approx(.05)


def test_a_whole_query_and_a_piece_are_judged_by_their_like():
  """What is certain of a whole sequence says nothing of a piece, and the other way round."""
  num = 4_000
  is_whole, has = np.arange(num) % 2 == 0, np.arange(num) % 4 < 2
  sign = np.where(has, 1.5, -1.5)
  evidence = RNG.normal(size=(num, 2)) + np.where(
      is_whole[:, None], [[1, 0]], [[0, 1]]) * sign[:, None]
  lengths = np.where(is_whole, RNG.integers(640, 660, num), RNG.integers(100, 650, num))
  fitted = by_length.fit(evidence_of(evidence), lengths, is_whole, has, has, np.arange(num),
                         RNG.integers(640, 660, 500))
  assert 640 <= fitted.shortest < 645
  asked = evidence_of(np.array([[1., 0], [0, 1]]).repeat(2, axis=0))
  whole, cut = fitted.ratio(asked, [650] * 4)[::2], fitted.ratio(asked, [300] * 4)[::2]
  assert whole[0] > 5 > whole[1] * 2 and cut[1] > 5 > cut[0] * 2
  mixed = fitted.ratio(asked, [650, 300, 650, 300])
  np.testing.assert_array_equal(mixed, [whole[0], cut[0], whole[1], cut[1]])
