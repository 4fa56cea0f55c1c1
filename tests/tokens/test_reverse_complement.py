import jax
import numpy as np
import oracles
import pytest

from dnajax import bases as base_codes
from dnajax import config as config_lib
from dnajax import errors
from dnajax.masking import schedule
from dnajax.tokens import kmers
from dnajax.training import masked_prediction

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


def targets(config, codes, *, is_training):
  derived = config_lib.derive(config)
  mask = masked_prediction.make_masking(config, derived, is_training=is_training)
  masked, _ = mask(jax.random.key(0), codes, schedule.first_stage())
  return np.asarray(masked.targets), np.asarray(masked.is_selected), masked.encoder_ids


def test_training_reads_the_other_strand_and_evaluation_does_not(tiny_config):
  config = config_lib.complete(tiny_config(tokens__random_offset=False,
                                           masking__corruption="replace"))
  codes = oracles.random_codes(np.random.default_rng(0), 6, config.data.max_length)
  codes[:, :3] = 0, 0, 0
  turned = np.array([slow_reverse_complement(row) for row in codes], np.uint8)
  plain = targets(config, codes, is_training=True)
  of_turned = targets(config, turned, is_training=True)
  config.tokens.reverse_complement = 1.0
  jax.tree.map(np.testing.assert_array_equal, targets(config, codes, is_training=True),
               of_turned)
  jax.tree.map(np.testing.assert_array_equal, targets(config, codes, is_training=False),
               plain)
  assert (plain[2] != of_turned[2]).any()


def test_a_chance_outside_0_to_1_is_refused(tiny_config):
  config = config_lib.complete(tiny_config())
  config.tokens.reverse_complement = 1.5
  with pytest.raises(errors.UserError, match="tokens.reverse_complement=1.5"):
    config_lib.derive(config)
