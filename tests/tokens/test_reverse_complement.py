import jax
import numpy as np
import oracles
import pytest

from dnajax.tokens import bases as base_codes
from dnajax.tokens import kmers, tokenizer

PARTNER = dict(zip("ACGTN", "TGCAN", strict=True))


def slow_reverse_complement(codes):
  """One letter at a time, last one first."""
  sequence = oracles.text(codes).rstrip(".")
  other = "".join(PARTNER[letter] for letter in reversed(sequence))
  return [oracles.LETTERS.index(letter) for letter in other.ljust(len(codes), ".")]


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("num_bases", [1, 2, 7, 40])
def test_the_reverse_complement_is_the_definition(jit, num_bases):
  rng = np.random.default_rng(num_bases)
  codes = oracles.random_codes(rng, 12, num_bases, unknown_share=0.2)
  codes[1] = base_codes.PAD
  codes[2] = base_codes.UNKNOWN
  fn = jax.jit(kmers.reverse_complement) if jit else kmers.reverse_complement
  got = fn(codes)
  assert got.dtype == np.uint8
  np.testing.assert_array_equal(got, [slow_reverse_complement(row) for row in codes])
  np.testing.assert_array_equal(fn(got), codes)


def test_a_known_sequence_is_turned_round():
  rows = base_codes.encode_batch(["AACGTTN", "RYAC", ""], 8)
  want = base_codes.encode_batch(["NAACGTT", "GTNN", ""], 8)
  np.testing.assert_array_equal(kmers.reverse_complement(rows), want)


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_each_row_is_turned_round_with_a_chance_of_its_own(jit, probability):
  codes = oracles.random_codes(np.random.default_rng(0), 400, 30)
  codes[:, :3] = 0, 0, 0                           # no row is its own partner
  fn = lambda key, x: kmers.randomly_reverse_complement(key, x, probability=probability)
  got = np.asarray((jax.jit(fn) if jit else fn)(jax.random.key(1), codes))
  turned = np.array([slow_reverse_complement(row) for row in codes])
  is_turned = (got == turned).all(axis=1)
  is_same = (got == codes).all(axis=1)
  assert (is_turned != is_same).all()
  if probability in (0.0, 1.0):
    assert is_turned.mean() == probability
  else:                                            # 400 draws, 5 standard deviations
    assert abs(is_turned.mean() - probability) < 5 * (0.3 * 0.7 / 400)**0.5


def test_training_reads_the_other_strand_and_evaluation_does_not():
  codes = oracles.random_codes(np.random.default_rng(0), 6, 72)
  codes[:, :3] = 0, 0, 0
  turned = np.array([slow_reverse_complement(row) for row in codes], np.uint8)
  plain, turning = (tokenizer.make(tokenizer.TokenSettings(
      k=3, stride=3, reverse_complement=chance), 72) for chance in (0.0, 1.0))
  key = jax.random.key(0)
  jax.tree.map(np.testing.assert_array_equal, turning.augmented(key, codes),
               plain.augmented(key, turned))
  jax.tree.map(np.testing.assert_array_equal, turning(codes), plain(codes))
  assert (plain(codes).ids != plain(turned).ids).any()


def test_training_shifts_the_frame_and_reads_what_that_needs():
  settings = tokenizer.TokenSettings(k=3, stride=3, random_offset=True)
  shifted = tokenizer.make(settings, 69)
  codes = np.random.default_rng(0).integers(0, 4, (64, shifted.read_length)).astype(np.uint8)
  assert shifted.read_length == 71
  got = np.asarray(shifted.augmented(jax.random.key(0), codes).ids)
  frames = [np.asarray(shifted(codes[:, offset:]).ids) for offset in range(3)]
  of = [next(f for f, ids in enumerate(frames) if (ids[row] == got[row]).all())
        for row in range(64)]
  assert set(of) == {0, 1, 2}
  np.testing.assert_array_equal(shifted(codes).ids, frames[0])
