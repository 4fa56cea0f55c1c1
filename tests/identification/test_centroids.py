"""Centroids against loops over all members, and what they are worth."""

import libraries
import numpy as np
import pytest

from dnajax.identification import centroids, features, shortlist

RNG = np.random.default_rng(0)
TAXA = np.array([0, 0, 0, 0, 1, 1, 2, -1, 3, 3])
PARTS = np.array([5, 5, 5, 6, 7, 7, 8, 9, -1, -1])   # as species


def direction(row):
  return row / np.linalg.norm(row)


def slow(keys, row, member, without):
  """Cosine with the mean over parts of the means of their members, less a group."""
  if TAXA[member] < 0:
    return direction(row) @ direction(keys[member])
  middle = np.zeros(keys.shape[1])
  for i in range(len(keys)):
    if TAXA[i] == TAXA[member] and i not in without:
      alike = [j for j in range(len(keys)) if TAXA[j] == TAXA[i] and PARTS[j] == PARTS[i]]
      middle += direction(keys[i]) / (1 if PARTS[i] < 0 else len(alike))
  return direction(row) @ direction(middle)


@pytest.mark.parametrize("groups", [None, np.arange(10), PARTS, TAXA])
def test_cosines_are_with_the_mean_of_the_parts_less_the_own_group(groups):
  keys, rows = RNG.normal(size=(2, 10, 4)).astype(np.float32)
  ids, cosines, found = shortlist.search(
      rows, keys, middles=centroids.of(keys, TAXA, PARTS), depth=10,
      groups=groups if groups is None else (groups, groups))
  for q in range(10):
    without = [] if groups is None or groups[q] < 0 else np.flatnonzero(groups == groups[q])
    for m in np.flatnonzero(np.isfinite(cosines[q])):
      np.testing.assert_allclose(found[q, m], slow(keys, rows[q], ids[q, m], without), atol=1e-5)


def test_kmers_have_the_same_centroids_as_their_rows(monkeypatch):
  for name in ("_BLOCK", "_FEW"):
    monkeypatch.setattr(centroids, name, 7)
  references, _ = libraries.split(libraries.rows(), libraries.is_last_species)
  by = features.Kmers()
  rows = by.rows(references.sequences)
  keys = by.less(rows, by.mean(rows))
  whole = np.asarray(keys[:len(references.ids)])
  found = [shortlist.search(one[:20], one, middles=centroids.of_references(references, one))
           for one in (keys, whole)]
  np.testing.assert_allclose(found[0][2], found[1][2], atol=1e-5)


def test_without_names_each_reference_stands_for_itself():
  keys = RNG.normal(size=(6, 4)).astype(np.float32)
  _, cosines, found = shortlist.search(keys, keys)
  np.testing.assert_array_equal(found, cosines)


def test_noise_is_less_of_a_chance_for_a_genus_with_many_members():
  middles = RNG.normal(size=(20, 16))
  taxa = np.repeat(np.arange(20), [2] * 10 + [60] * 10)
  draw = lambda of: (middles[of] + 1.5 * RNG.normal(size=(len(of), 16))).astype(np.float32)
  keys, wanted = draw(taxa), np.repeat(np.arange(10), 40)       # queries of the small ones
  ids, cosines, found = shortlist.search(
      draw(wanted), keys, middles=centroids.of(keys, taxa, np.arange(len(taxa))), depth=len(taxa))
  right = [(taxa[ids[np.arange(len(ids)), one.argmax(axis=1)]] == wanted).mean()
           for one in (cosines, cosines + found)]
  assert right[1] > right[0] + .05
