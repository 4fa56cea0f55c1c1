"""Published figures that need no published data: rates and mean ranks."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import selection_rows

from dnajax.masking import gene_mask, global_pmi, kmer_span, pmi, random_window

RANKS = selection_rows.some_ranks(6)
GENE_MASK = gene_mask.GeneMask(probability=.0176)
GLOBAL_PMI = global_pmi.GlobalPmi(probability=.0136)


@pytest.fixture(scope="module")
def random_dna():
  """[CLS], 506 overlapping 6-mers of random DNA and [SEP]; 600 rows."""
  bases = np.random.default_rng(0).integers(0, 4, (600, 511))
  tokens = 5 + sum(bases[:, j:j + 506] * 4**(5 - j) for j in range(6))
  tokens = np.pad(tokens, ((0, 0), (1, 1)), constant_values=2)
  return tokens.astype(np.int32), tokens >= 5


def run(selection, random_dna):
  return selection_rows.caller(selection, RANKS)(
      jax.random.key(0), *random_dna, selection.probability)


def window_spread(m, p=.025, num_tokens=506):
  """Standard deviation of the rate: two tokens d apart are both left out with
  chance (1 - p)^(m + min(d, m))."""
  left = 1 - p
  covariance = [left**(m + d) - left**(2 * m) for d in range(m)]
  return np.sqrt((covariance[0] + 2 * sum(covariance[1:])) / num_tokens)


@pytest.mark.parametrize("selection, rate, spread", [
    (kmer_span.KmerSpan(probability=.025, offsets=kmer_span.OFFSETS[6]), .1408, .038),
    (GENE_MASK, .152, .036),
    # .120 with the published table, whose best k-mers overlap themselves; a
    # random table spreads them, up to 1 - (1 - p)^11.
    (GLOBAL_PMI, .138, .050),
    *[(random_window.RandomWindow(probability=.025, sizes=(m,)), 1 - .975**m,
       window_spread(m)) for m in (6, 8, 10, 12, 14)],
], ids=["kmer_span", "gene_mask", "global_pmi", "6", "8", "10", "12", "14"])
def test_mask_rate_at_506_tokens_is_the_published_one(
    random_dna, selection, rate, spread):
  rates = run(selection, random_dna).sum(axis=1) / 506
  assert abs(rates.mean() - rate) < 4 * spread / np.sqrt(600)
  assert spread * .8 < rates.std() < spread * 1.6


def test_pmi_selections_shift_the_mean_rank_only_when_they_rank_tokens(random_dna):
  rank = np.asarray(pmi.token_ranks(jnp.asarray(RANKS), jnp.asarray(random_dna[0])))
  mean = {
      (one, by): rank[run(dataclasses.replace(one, rank_by=by), random_dna)].mean()
      for one in (GENE_MASK, GLOBAL_PMI) for by in ("token", "position")}
  everywhere = rank[random_dna[1]].mean()
  # 42,000 tokens in spans of about 6: standard error of a mean about 14.
  assert mean[GLOBAL_PMI, "token"] < everywhere - 100
  assert abs(mean[GLOBAL_PMI, "position"] - everywhere) < 50
  assert abs(mean[GENE_MASK, "position"] - everywhere) < 50


@pytest.mark.parametrize("selection", [GENE_MASK, GLOBAL_PMI])
def test_ranked_by_position_the_sequence_does_not_matter(random_dna, selection):
  tokens, is_maskable = random_dna
  by_position = dataclasses.replace(selection, rank_by="position")
  other = np.where(is_maskable, np.roll(tokens[::-1], 7, axis=1), tokens)
  np.testing.assert_array_equal(run(by_position, random_dna),
                                run(by_position, (other, is_maskable)))


def test_ranked_by_position_global_pmi_never_selects_most_positions(random_dna):
  got = run(dataclasses.replace(GLOBAL_PMI, rank_by="position"), random_dna)
  share = got[:, 1:-1].mean(axis=0)
  assert (share == 0).sum() > 300 and share.max() > .95


@pytest.mark.parametrize("selection", [GENE_MASK, GLOBAL_PMI])
def test_selections_run_sharded_over_devices_without_change(random_dna, selection):
  mesh = jax.make_mesh((jax.device_count(),), ("data",),
                       axis_types=(jax.sharding.AxisType.Auto,))
  rows = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("data"))
  sharded = jax.device_put(random_dna, rows)
  np.testing.assert_array_equal(run(selection, sharded), run(selection, random_dna))
