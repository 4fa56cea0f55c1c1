import jax
import ml_collections
import numpy as np
import pytest

from dnajax import config as config_lib
from dnajax import errors
from dnajax.masking import schedule


def cm_gems(**changes):
  defaults = dict(name="cm_gems", hard="global_pmi", threshold=1.0, change="drop",
                  relative=False)
  return ml_collections.ConfigDict({**defaults, **changes})


def switch_after(perplexities, **changes):
  """Number of evaluations after which it switches; None if it does not."""
  masking = ml_collections.ConfigDict({"curriculum": cm_gems(**changes)})
  progress, seen = schedule.start(masking), None
  for n, perplexity in enumerate(perplexities):
    progress = schedule.observe(masking.curriculum, progress, 10 * n, perplexity)
    if seen is None and int(progress.switch_step) >= 0:
      seen = n + 1
      assert int(progress.switch_step) == 10 * n
    if seen is not None:  # latched
      assert int(progress.switch_step) == 10 * (seen - 1)
  return seen


@pytest.mark.parametrize("perplexities, changes, want", [
    ([9, 7, 6.5, 6.4], {}, 3),
    ([9, 8, 7], {}, None),              # less than the threshold, not equal to it
    ([9], {}, None),                    # nothing to compare with
    ([9, 9], {}, 2),
    ([9, 9.5, 7], {}, None),            # a rise is no drop ...
    ([9, 9.5, 7], dict(change="absolute"), 2),  # ... but a change
    ([9, 30, 8], dict(change="absolute"), None),
    ([9, 8.5, 3], {}, 2),               # final although it falls again
    ([100, 60, 59], dict(relative=True, threshold=0.02), 3),
    ([100, 97, 90], dict(relative=True, threshold=0.02), None),
    ([float("nan"), 9, float("nan"), 8.9, 8.8], {}, 5),
    ([float("inf"), 9, 8.5], {}, 3),
])
def test_cm_gems_switches_when_perplexity_settles(perplexities, changes, want):
  assert switch_after(perplexities, **changes) == want


def test_the_history_keeps_the_last_evaluations_newest_last():
  masking = ml_collections.ConfigDict({"curriculum": cm_gems()})
  progress, length = schedule.start(masking), len(schedule.start(masking).steps)
  for n in range(length + 3):
    progress = schedule.observe(masking.curriculum, progress, n, 1000.0 - 2 * n)
    assert int(progress.num_evaluations) == n + 1
  np.testing.assert_array_equal(progress.steps, np.arange(3, length + 3))
  np.testing.assert_allclose(progress.perplexities, 1000 - 2 * np.arange(3, length + 3))
  assert float(progress.smallest_change) == 2


@pytest.mark.parametrize("total_steps, num_blocks", [(100, 10), (7, 10), (1000, 100),
                                                     (103, 10), (5, 1)])
def test_the_hard_share_rises_linearly_in_blocks(total_steps, num_blocks):
  got = np.array([schedule.hard_share_at(step, total_steps, num_blocks)
                  for step in range(total_steps + 3)])
  want = [min(step * num_blocks // total_steps, num_blocks - 1) / num_blocks
          for step in range(total_steps + 3)]
  np.testing.assert_allclose(got, want, atol=1e-7)


def test_cm_step_tosses_one_coin_per_update_with_that_share(tiny_config):
  config = config_lib.complete(tiny_config())
  config.masking.curriculum.name = "cm_step"
  stage_at = jax.jit(lambda step, key: schedule.stage_at(
      config.masking, 100, None, step, key).is_hard)
  keys = jax.random.split(jax.random.key(0), 400)
  for step, share in ((5, 0), (35, .3), (99, .9)):
    hard = np.array([stage_at(step, key) for key in keys])
    assert hard.shape == (400,) and abs(hard.mean() - share) < .08


def test_phases_and_rates_change_at_their_boundaries_without_a_compilation(tiny_config):
  config = config_lib.complete(tiny_config())
  config.masking.window_sizes = (6, 8, 10)
  with config.masking.ignore_type():
    config.masking.phases = dict(boundaries=(3, 5), counts=(1, 2, 3), probabilities=())
    config.masking.rate = dict(boundaries=(4,), factors=(1.5,))
  traces = []

  @jax.jit
  def stage_at(step):
    traces.append(step)
    stage = schedule.stage_at(config.masking, 8, None, step, jax.random.key(0))
    return schedule.num_sizes(config.masking, stage.phase), stage.rate_factor

  got = [tuple(float(x) for x in stage_at(step)) for step in range(8)]
  assert got == [(1, 1), (1, 1), (1, 1), (2, 1), (2, 1.5), (3, 1.5), (3, 1.5), (3, 1.5)]
  assert len(traces) == 1
  texts = [schedule.describe(config.masking, 8, None, step) for step in range(8)]
  assert [a != b for a, b in zip(texts, texts[1:], strict=False)] == [
      False, False, True, True, True, False, False]
  assert "windows of 6, 8 tokens" in texts[3] and "1.5" in texts[4]


@pytest.mark.parametrize("changes, message", [
    (dict(curriculum=dict(name="cm_gem")), "curriculum.name"),
    (dict(curriculum=dict(name="cm_gems", evaluator="none")), "curriculum.evaluator"),
    (dict(curriculum=dict(change="rise")), "curriculum.change"),
    (dict(curriculum=dict(threshold=0.0)), "curriculum.threshold"),
    (dict(curriculum=dict(hard="global")), "global_pmi"),
    (dict(curriculum=dict(num_blocks=0)), "num_blocks"),
    (dict(window_sizes=(6, 7)), "window_sizes"),
    (dict(phases=dict(boundaries=(3,), counts=(1,))), "phases.counts"),
    (dict(phases=dict(boundaries=(3, 2), counts=(1, 1, 1))), "phases.boundaries"),
    (dict(rate=dict(boundaries=(3,), factors=())), "rate.factors"),
    (dict(rank_by="place"), "rank_by"),
    (dict(gene_mask_order="set"), "gene_mask_order"),
    (dict(probability=2.0), "probability"),
])
def test_a_wrong_schedule_is_refused_by_name(tiny_config, changes, message):
  values = tiny_config().to_dict()
  values["masking"] |= changes
  with pytest.raises(errors.UserError, match=message):
    config_lib.derive(config_lib.from_dict(values))
