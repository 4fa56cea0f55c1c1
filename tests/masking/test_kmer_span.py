import jax
import jax.numpy as jnp
import numpy as np
import pytest
import selection_rows

from dnajax.masking import kmer_span
from dnajax.shell import parts
from dnajax.tokens import tokenizer as tokenizer_lib

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


def tokenizer(k):
  return tokenizer_lib.make(tokenizer_lib.TokenSettings(k=k, stride=1), 60)


@pytest.mark.parametrize("k, length, jit", [
    *[(*shape, True) for shape in selection_rows.SHAPES], (3, 1, False), (6, 41, False)])
def test_kmer_span_is_the_definition(jit, k, length):
  tokens, is_maskable = selection_rows.rows(k, length)
  key = jax.random.key(length)
  call = selection_rows.caller(kmer_span.KmerSpan().for_tokenizer(tokenizer(k)), jit=jit)
  for probability in np.float32([0.0, 0.1, 1.0]):
    got = call(key, tokens, is_maskable, probability)
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


def test_offsets_of_ones_own_stand_in_for_a_k_that_dnabert_has_not():
  def wrong(selection, k):
    return [key for key, _ in selection.check(parts.Setup(tokenizer=tokenizer(k)))]

  assert wrong(kmer_span.KmerSpan(), 6) == []
  assert wrong(kmer_span.KmerSpan(), 7) == ["offsets"]
  own = kmer_span.KmerSpan(offsets=(-3, 0, 4))
  assert wrong(own, 7) == [] and own.for_tokenizer(tokenizer(7)) == own
  assert wrong(kmer_span.KmerSpan(offsets=(1, 2)), 6) == ["offsets"]


def test_a_row_without_positions_selects_nothing():
  nothing = jnp.zeros((3, 0), jnp.int32)
  got = kmer_span.KmerSpan(offsets=(-1, 0, 1))(
      jax.random.key(0), nothing, nothing == 1, rate=jnp.float32(0.5))
  assert got.shape == (3, 0)
