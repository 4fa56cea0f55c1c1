"""k-mer counts against counting."""

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest

from dnajax.inference import kmer_counts
from dnajax.tokens import bases as base_codes


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


@pytest.mark.parametrize("kind", ["shares", "square_roots"])
def test_rows_less_their_mean_are_the_definition_in_any_blocks(kind):
  bases = oracles.random_codes(np.random.default_rng(0), 11, 30)
  bases[4] = base_codes.PAD
  want = []
  for counts in slow_kmer_counts(bases, 2):
    shares = [count / max(sum(counts), 1) for count in counts]
    want.append([share ** 0.5 if kind == "square_roots" else share for share in shares])
  rows = kmer_counts.KmerCounts(bases, 2, kind=kind)
  np.testing.assert_allclose(rows.mean(block=4), np.mean(want, axis=0), atol=1e-6)
  np.testing.assert_allclose(rows.less(rows.mean())[3:9],
                             (want - np.mean(want, axis=0))[3:9], atol=1e-6)
