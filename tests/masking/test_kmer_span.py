import functools

import jax
import numpy as np
import pytest
import selection_rows

from dnajax.masking import kmer_span

# DNABERT's neighbours of a centre, as its paper's code lists them.
NEIGHBOURS = {3: [-1, 1], 4: [-1, 1, 2], 5: [-2, -1, 1, 2], 6: [-2, -1, 1, 2, 3]}


def slow_kmer_span(is_hit, is_maskable, neighbours):
  out = np.zeros_like(is_maskable)
  num_rows, length = is_maskable.shape
  for b in range(num_rows):
    for centre in range(length):
      if not (is_hit[b, centre] and is_maskable[b, centre]):
        continue
      out[b, centre] = True
      for neighbour in neighbours:
        i = centre + neighbour
        if 0 <= i < length and is_maskable[b, i]:
          out[b, i] = True
  return out


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("probability", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("k, length", selection_rows.SHAPES)
def test_kmer_span_is_the_definition(jit, probability, k, length):
  tokens, is_maskable = selection_rows.rows(k, length)
  fn = functools.partial(kmer_span.kmer_span, probability=probability,
                         offsets=kmer_span.OFFSETS[k])
  key = jax.random.key(length)
  got = (jax.jit(fn) if jit else fn)(key, tokens, is_maskable)
  is_hit = np.asarray(jax.random.bernoulli(key, probability, tokens.shape))
  want = slow_kmer_span(is_hit, is_maskable, NEIGHBOURS[k])
  np.testing.assert_array_equal(got, want)
  assert got.dtype == bool


def test_k_offsets_hide_exactly_one_nucleotide_of_overlapping_kmers():
  for k, offsets in kmer_span.OFFSETS.items():
    assert len(offsets) == k and 0 in offsets
    hidden = [base for base in range(-20, 20)
              if all(base - j in offsets for j in range(k))]
    assert len(hidden) == 1


@pytest.mark.parametrize("offsets", [(), (0,), (3,), (-7, 2), (0, 1, -1, 9)])
@pytest.mark.parametrize("length", [0, 1, 2, 8])
def test_dilate_sets_every_offset_and_loses_what_falls_off(offsets, length):
  is_set = np.random.default_rng(length).random((20, length)) < 0.2
  want = np.zeros_like(is_set)
  for b, i in zip(*np.nonzero(is_set), strict=True):
    for offset in offsets:
      if 0 <= i + offset < length:
        want[b, i + offset] = True
  np.testing.assert_array_equal(kmer_span.dilate(is_set, offsets), want)


def test_a_row_without_positions_selects_nothing():
  nothing = np.zeros((3, 0), np.int32)
  got = kmer_span.kmer_span(jax.random.key(0), nothing, nothing == 1,
                            probability=0.5, offsets=kmer_span.OFFSETS[6])
  assert got.shape == (3, 0)
