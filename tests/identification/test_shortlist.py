"""Candidates and lineages against loops."""

import numpy as np
import pytest

from dnajax.identification import shortlist

RNG = np.random.default_rng(0)
NAMES = {"family": np.array([0, 0, 1, 1, -1, 1]), "genus": np.array([0, 1, 2, -1, 2, 3])}


def some(num=30, depth=5):
  ids = np.stack([RNG.permutation(6)[:depth] for _ in range(num)])
  cosines = np.sort(RNG.random((num, depth)))[:, ::-1].astype(np.float32)
  cosines[0, 3:] = -np.inf
  classes = np.where(RNG.random((num, depth)) < .2, np.nan, RNG.random((num, depth)))
  return shortlist.Candidates(ids, cosines, *RNG.random((2, num, depth)).astype(np.float32),
                              np.full((num, depth), 100), classes, RNG.random(num))


def slow_lineage(ids, scores):
  """High to low: the best candidate that has a name and agrees with the names so far."""
  said = {}
  for rank, column in NAMES.items():
    fitting = [(score, -place) for place, (i, score) in enumerate(zip(ids, scores, strict=True))
               if np.isfinite(score) and column[i] >= 0 and all(
                   NAMES[high][i] in (-1, name) for high, name in said.items() if name >= 0)]
    said[rank] = column[ids[-max(fitting)[1]]] if fitting else -1
  return said


def test_lineages_are_consistent_and_the_best():
  candidates = some()
  scores = candidates.scores((1, .3, .2))
  found = shortlist.lineages(candidates, scores, NAMES)
  for q in range(len(scores)):
    want = slow_lineage(candidates.ids[q].tolist(), scores[q].tolist())
    assert {rank: label[q] for rank, (label, _) in found.items()} == want
  assert found["family"][1].taxa.shape == (30, 0)
  np.testing.assert_array_equal(found["genus"][1].taxa[:, 0], found["family"][0])


@pytest.mark.parametrize("groups", [
    None, (np.arange(30) % 4 - 1, np.array([0, 0, 1, 1, 2, -1]))])
def test_evidence_is_the_score_its_lead_over_another_name_and_what_was_learned(groups):
  candidates = some()
  scores = candidates.scores(shortlist.Weights())
  label, evidence = shortlist.lineages(
      candidates, scores, {"genus": NAMES["genus"]}, groups)["genus"]
  for q in range(len(scores)):
    names = NAMES["genus"][candidates.ids[q]]
    mine = scores[q][(names == label[q])].max()
    others = scores[q][(names >= 0) & (names != label[q]) & np.isfinite(scores[q])]
    lead = mine - (others.max() if len(others) else scores[q][np.isfinite(scores[q])].min())
    (best,) = np.flatnonzero(scores[q] == mine)
    cosine, centroid = candidates.cosines[q][best], candidates.centroids[q][best]
    own = candidates.classes[q][best]
    left = [i for i in range(6) if NAMES["genus"][i] == label[q] and (
        groups is None or groups[0][q] < 0 or groups[1][i] != groups[0][q])]
    share = ((names == label[q]) & np.isfinite(scores[q])).sum() / max(len(left), 1)
    np.testing.assert_allclose(evidence.values[q], [
        mine, lead, cosine, centroid, share, *((0, 0) if np.isnan(own) else (1, own))], atol=1e-7)
    assert evidence.elsewhere[q] == candidates.outside[q]


def test_scores_mix_identity_and_cosines_and_leave_out_what_is_not_there():
  candidates = some()
  scores = candidates.scores(shortlist.Weights(2, .2, .7))
  np.testing.assert_allclose(scores[1], 2 * candidates.identities[1]
                             + .2 * candidates.cosines[1] + .7 * candidates.centroids[1], atol=1e-6)
  assert np.isneginf(scores[0, 3:]).all() and np.isfinite(scores[0, :3]).all()
  np.testing.assert_array_equal(candidates.scores((0, 1, 0)), candidates.cosines)


def test_members_of_the_own_group_are_no_candidates():
  rows = RNG.normal(size=(8, 4)).astype(np.float32)
  groups = np.array([0, 0, 1, 1, 2, 2, 2, -1])
  texts = ["ACGT" * 20] * 8
  nearest = shortlist.search(rows, rows, groups=(groups, groups), depth=8)
  found = shortlist.align(*nearest, texts, texts)
  for q, group in enumerate(groups):
    assert np.isnan(found.classes[q]).all() and found.outside[q] == -1   # nothing was learned
    there = found.ids[q][np.isfinite(found.cosines[q])]
    want = set(range(8)) - ({i for i in range(8) if groups[i] == group} if group >= 0 else set())
    assert set(there.tolist()) == want


def test_a_pair_is_aligned_once(monkeypatch):
  rows = RNG.normal(size=(8, 4)).astype(np.float32)
  texts = ["ACGT" * 20 + "A" * i for i in range(8)]
  nearest, known = shortlist.search(rows, rows, depth=3), {}
  first = shortlist.align(*nearest, texts, texts, known=known)
  assert len(known) == 8 * 3
  monkeypatch.setattr(shortlist.alignment, "identity", None)
  again = shortlist.align(*nearest, texts, texts, known=known)
  np.testing.assert_array_equal(again.identities, first.identities)
  np.testing.assert_array_equal(again.overlaps, first.overlaps)
