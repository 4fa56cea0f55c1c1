import jax
import numpy as np
import pytest

from dnajax import config as config_lib
from dnajax import errors
from dnajax.data import records
from dnajax.masking import rate, schedule
from dnajax.training import masked_prediction


def masking_config(tiny_config, **changes):
  config = config_lib.complete(tiny_config(tokens__random_offset=False))
  for key, value in changes.items():
    with config.masking.ignore_type():
      config.masking[key] = value
  split = records.open_split(records.find(config.data.dir, config.data.name),
                             config.data.split)
  return config, split


def achieved(config, split, stage=None, num_batches=8):
  """(selected, lost slots) of fresh draws on the data, as shares of the maskable."""
  derived = config_lib.derive(config)
  mask = jax.jit(masked_prediction.make_masking(config, derived))
  bases = split.bases(np.arange(256) % split.num_records, config.data.max_length)
  stage = stage or schedule.first_stage()
  counts = [mask(jax.random.key(i), bases, stage)[1] for i in range(num_batches)]
  maskable = sum(float(c["maskable"]) for c in counts)
  return [sum(float(c[name]) for c in counts) / maskable
          for name in ("selected", "scored_overflow", "kept_overflow")]


@pytest.mark.parametrize("selection, ratio", [
    ("kmer_span", .15), ("kmer_span", .5), ("random_window", .3), ("gene_mask", .2),
    ("gene_mask", .5), ("global_pmi", .4)])
def test_the_probability_found_gives_the_ratio_asked_for(tiny_config, selection, ratio):
  config, split = masking_config(tiny_config, selection=selection, ratio=ratio,
                                 pmi_table="npmi_k3.npz")
  found, lines = rate.resolve(config, split)
  assert config.masking.probability == 0 and 0 < found.masking.probability < 1
  selected, scored_overflow, kept_overflow = achieved(found, split)
  assert abs(selected - ratio) < .03
  assert scored_overflow < .005 and kept_overflow < .005
  assert len(lines) == 1 and f"{found.masking.probability:.4g}" in lines[0]
  again, _ = rate.resolve(found, split)
  assert again.to_dict() == found.to_dict()


def test_a_given_probability_is_kept_and_slots_hold_nearly_all_rows(tiny_config):
  config, split = masking_config(tiny_config, selection="kmer_span", probability=.025)
  found, _ = rate.resolve(config, split)
  assert found.masking.probability == .025
  derived = config_lib.derive(found)
  assert derived.num_scored < derived.num_tokens
  assert max(achieved(found, split)[1:]) < .01


def test_each_phase_gets_a_probability_for_the_same_ratio(tiny_config):
  config, split = masking_config(
      tiny_config, selection="random_window", ratio=.3, window_sizes=(6, 10, 14),
      phases=dict(boundaries=(2, 4), counts=(1, 2, 3), probabilities=()))
  found, lines = rate.resolve(config, split)
  chances = found.masking.phases.probabilities
  assert len(chances) == len(lines) == 3 and chances[0] > chances[1] > chances[2] > 0
  for phase in range(3):
    stage = schedule.first_stage().replace(phase=np.int32(phase))
    assert abs(achieved(found, split, stage)[0] - .3) < .04


def test_both_selections_of_a_curriculum_are_measured(tiny_config):
  config, split = masking_config(tiny_config, selection="gene_mask", ratio=.2,
                                 pmi_table="npmi_k3.npz")
  config.masking.curriculum.name = "cm_step"
  found, lines = rate.resolve(config, split)
  assert len(lines) == 2
  for is_hard in (False, True):
    stage = schedule.first_stage().replace(is_hard=np.bool_(is_hard))
    assert abs(achieved(found, split, stage)[0] - .2) < .03


def test_a_rate_factor_multiplies_what_is_selected_and_slots_make_room(tiny_config):
  config, split = masking_config(tiny_config, ratio=.15, capacity_sds=4.0,
                                 rate=dict(boundaries=(4,), factors=(2.0,)))
  found, lines = rate.resolve(config, split)
  assert not lines  # uniform: nothing to find
  doubled = schedule.first_stage().replace(rate_factor=np.float32(2))
  selected, scored_overflow, _ = achieved(found, split, doubled)
  assert abs(selected - .3) < .02 and scored_overflow < .001


def test_what_cannot_be_is_refused(tiny_config):
  config, split = masking_config(tiny_config, selection="gene_mask")
  with pytest.raises(errors.UserError, match="pmi_table.*data_pipelines.npmi"):
    rate.resolve(config, split)
  config, split = masking_config(tiny_config, selection="gene_mask",
                                 pmi_table="missing.npz")
  with pytest.raises(errors.UserError, match="no PMI table missing.npz"):
    rate.resolve(config, split)
