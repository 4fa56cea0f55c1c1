"""k-mer counts against counting."""

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest

from dnajax.evaluators import kmer_counts


def slow_kmer_counts(bases, k):
  """Every window that holds only A, C, G, T counts once."""
  names = oracles.kmer_names(k)[2:]
  out = np.zeros((len(bases), len(names)), np.float32)
  for row, codes in zip(out, bases, strict=True):
    text = oracles.text(codes)
    for i in range(len(text) - k + 1):
      if text[i:i + k] in names:
        row[names.index(text[i:i + k])] += 1
  return out


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("length", [1, 2, 3, 40])
def test_kmer_counts_are_the_definition(jit, k, length):
  bases = oracles.random_codes(np.random.default_rng(length), 5, length)
  with jax.disable_jit(not jit):
    got = kmer_counts.count_kmers(jnp.asarray(bases), k=k)
  np.testing.assert_array_equal(got, slow_kmer_counts(bases, k))


def test_kmer_counts_in_blocks_equal_counts_at_once():
  bases = oracles.random_codes(np.random.default_rng(0), 11, 30)
  np.testing.assert_array_equal(kmer_counts.kmer_counts(bases, 2, block=4),
                                slow_kmer_counts(bases, 2))
