"""How features are spread: against loops, singular values and planted labels."""

import numpy as np
import pytest

from dnajax.evaluators import spread
from dnajax.inference import neighbors


def collapse(rows):
  return {one.name: one.value for one in spread.collapse(rows)}


def test_mean_cosine_is_the_mean_over_pairs_of_different_rows():
  rows = np.random.default_rng(0).normal(1, 1, (7, 4)).astype(np.float32)
  pairs = [rows[i] @ rows[j] / np.linalg.norm(rows[i]) / np.linalg.norm(rows[j])
           for i in range(7) for j in range(7) if i != j]
  assert collapse(rows)["mean_cosine"] == pytest.approx(np.mean(pairs), abs=1e-6)
  assert np.isnan(collapse(rows[:1])["mean_cosine"])


@pytest.mark.parametrize("shape", [(30, 6), (6, 30)])
def test_effective_rank_is_exp_of_the_entropy_of_singular_values(shape):
  rows = np.random.default_rng(0).normal(size=shape).astype(np.float32)
  values = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False)
  share = values[values > 1e-5] / values.sum()
  want = np.exp(-(share * np.log(share)).sum())
  assert collapse(rows)["effective_rank"] == pytest.approx(want, rel=1e-5)


def test_effective_rank_counts_directions_and_ignores_rounding():
  rng = np.random.default_rng(0)
  same = np.tile(rng.normal(size=(1, 16)).astype(np.float32), (50, 1))
  assert collapse(same)["effective_rank"] == 0
  assert collapse(same)["mean_cosine"] == pytest.approx(1)
  line = same + rng.normal(size=(50, 1)).astype(np.float32) * np.eye(16)[0]
  assert collapse(line.astype(np.float32))["effective_rank"] == pytest.approx(
      1, abs=1e-3)


def test_whitened_keys_have_mean_zero_and_unit_covariance():
  rng = np.random.default_rng(0)
  mix = rng.normal(size=(6, 6)) * np.array([30, 1, 1, 1, 0.1, 0.1])
  keys, queries = rng.normal(size=(200, 6)) @ mix + 5, rng.normal(size=(9, 6)) @ mix + 5
  white, other = spread.whiten(keys, queries, floor=1e-12)
  np.testing.assert_allclose(white.mean(axis=0), 0, atol=1e-5)
  np.testing.assert_allclose(np.cov(white, rowvar=False), np.eye(6), atol=1e-3)
  assert other.shape == (9, 6)


def test_whitening_recovers_labels_under_a_direction_that_drowns_them():
  rng = np.random.default_rng(1)
  labels = np.arange(60) % 3
  rows = np.eye(4)[labels] + rng.normal(size=(60, 4)) * 0.05
  rows[:, 3] = rng.normal(size=60) * 1000
  ids, _ = neighbors.nearest(*reversed(spread.whiten(rows[:30], rows[30:])), 1)
  assert (labels[:30][ids[:, 0]] == labels[30:]).mean() > 0.9
