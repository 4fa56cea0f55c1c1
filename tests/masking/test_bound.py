import dataclasses
import functools

import jax
import jax.numpy as jnp
import maskings
import numpy as np
import pytest

from dnajax.masking import bound, selection
from dnajax.masking import settings as settings_lib

BASES = jnp.asarray(maskings.Records().bases(np.arange(64), 80))


def bind(settings, score_unselected=False, tokenizer=maskings.TOKENIZER):
  return bound.bind(settings, tokenizer, ranks=maskings.RANKS,
                    score_unselected=score_unselected)


def shares(masking, stage, num_batches=4):
  """What is selected, of the maskable tokens, over fresh draws."""
  mask = jax.jit(lambda key, stage: masking(key, maskings.TOKENIZER(BASES), stage)[1])
  counts = [mask(jax.random.key(i), stage) for i in range(num_batches)]
  return sum(float(c["selected"]) for c in counts) / sum(float(c["maskable"]) for c in counts)


def test_a_hard_selection_has_its_own_rate():
  # Issue: hard="uniform" took the ratio of the easy selection.
  masking = bind(maskings.make(
      selection=dict(name="uniform", ratio=.1),
      curriculum=dict(name="cm_step", hard=dict(name="uniform", ratio=.6))))
  stage = masking.first_stage()
  assert abs(shares(masking, stage) - .1) < .01
  assert abs(shares(masking, stage.replace(is_hard=jnp.bool_(True))) - .6) < .02


def test_counts_are_sums_over_the_batch():
  masking = bind(maskings.make(selection=dict(name="gene_mask", probability=.05)))
  tokens = maskings.TOKENIZER(BASES)
  key = jax.random.key(3)
  masked, counts = masking(key, tokens, masking.first_stage())
  is_selected = np.asarray(masking.select(
      jax.random.split(key)[0], tokens, masking.first_stage()))
  ranks = maskings.RANKS[np.asarray(tokens.ids)]
  assert counts["selected"] == is_selected.sum() == masked.is_selected.sum()
  assert counts["rank_sum"] == ranks[is_selected].sum()
  assert counts["tokens"] == counts["kept"] == tokens.pad_mask.sum()
  assert 0 < counts["hidden_bases"] < counts["covered_bases"]
  assert all(x.dtype == np.float32 and x.shape == () for x in counts.values())


def test_rates_and_phases_follow_the_step_without_a_compilation():
  masking = bind(maskings.make(
      selection=dict(name="random_window", probability=.01, sizes=(6, 8, 10),
                     boundaries=(3, 5), counts=(1, 2, 3)),
      rate=dict(boundaries=(4,), factors=(8.0,))))
  traces = []

  @jax.jit
  def count(step, key):
    traces.append(step)
    stage = masking.stage_at(step, 8, None, key)
    return masking(key, maskings.TOKENIZER(BASES), stage)[1]["selected"], stage.rate_factor

  got = [count(jnp.int32(step), jax.random.key(0)) for step in range(8)]
  assert [factor for _, factor in got] == [1] * 4 + [8] * 4
  assert got[0][0] == got[2][0] < got[3][0] < got[4][0] < got[5][0]
  assert len(traces) == 1
  texts = [masking.describe(8, None, step) for step in range(8)]
  assert [a != b for a, b in zip(texts, texts[1:], strict=False)] == [
      False, False, True, True, True, False, False]
  assert texts[4] == "phase 2 of 3, windows of 6, 8 tokens; 8 × the first rate"
  assert {one.name: one.value for one in masking.metrics(8, None, 4)} == {
      "curriculum/phase": 2, "curriculum/rate_factor": 8}


def test_a_curriculum_is_described_with_the_names_of_both_selections():
  values = dict(selection=dict(name="gene_mask"), curriculum=dict(name="cm_step"))
  masking = bind(maskings.make(**values))
  assert masking.describe(8, None, 1) == "global_pmi in 10% of the updates, else gene_mask"
  assert masking.start() is None and masking.evaluator == ""
  values["curriculum"] = dict(name="cm_gems", evaluator="dev")
  masking = bind(maskings.make(**values))
  progress = masking.start()
  for name, step in (("dev", 0), ("other", 1), ("dev", 2)):
    progress = masking.observe(name, 9.0, progress, step)
  assert int(progress.num_evaluations) == 2
  assert masking.describe(8, progress, 5) == "global_pmi, switched at step 2"


@pytest.mark.parametrize("values, score_unselected, want", [
    # 78 tokens; 3 standard deviations of 39 are 13.2
    (dict(selection=dict(ratio=.5)), False, (78, 56)),
    (dict(selection=dict(ratio=.5), corruption=dict(name="drop")), False, (56, 56)),
    (dict(selection=dict(ratio=.5), corruption=dict(name="drop")), True, (56, 78)),
    (dict(selection=dict(ratio=.5, count="exact"), corruption=dict(name="drop")), False,
     (40, 40)),
    (dict(selection=dict(ratio=.5), corruption=dict(name="drop"), capacity_sds=0.0,
          rate=dict(boundaries=(4,), factors=(.5,))), False, (64, 40)),
    (dict(selection=dict(ratio=.5), corruption=dict(name="drop"), num_kept=30,
          num_scored=900), False, (30, 78)),
    (dict(selection=dict(name="kmer_span"), corruption=dict(name="drop")), False, (78, 78)),
])
def test_slots_hold_what_the_formula_expects(values, score_unselected, want):
  masking = bind(maskings.make(**values), score_unselected)
  assert (masking.num_kept, masking.num_scored) == want
  assert maskings.TOKENIZER.num_tokens == 78


def test_tokens_that_drop_masks_by_a_draw_of_their_own_find_slots():
  # Of an exact count the masked share is still random.
  masking = bind(maskings.make(
      selection=dict(ratio=.5, count="exact"),
      corruption=dict(name="drop", mask_share=.8, random_share=.1)))
  full = jax.random.randint(jax.random.key(0), (256, 80), 0, 4).astype(jnp.uint8)
  _, counts = masking(jax.random.key(1), maskings.TOKENIZER(full), masking.first_stage())
  assert counts["kept"] < counts["tokens"] and counts["kept_overflow"] < 256 * .01


@dataclasses.dataclass(frozen=True)
class EveryOther(selection.Selection):
  """A selection that dnajax does not know."""
  ratio: float = 0.5
  probability: float = 0.3

  def __call__(self, key, tokens, is_maskable, *, ranks, rate, step):
    del ranks, step
    is_even = jnp.arange(tokens.shape[1]) % 2 == 0
    return is_even & is_maskable & (jax.random.uniform(key, tokens.shape) < rate)


def test_a_selection_of_ones_own_needs_nothing_but_its_class():
  plain = maskings.make()
  settings = settings_lib.Masking(
      selection=EveryOther(), corruption=plain.corruption, curriculum=plain.curriculum)
  assert abs(shares(bind(settings), bind(settings).first_stage()) - .15) < .02
  assert settings.selection.name == "every_other"


def test_draws_do_not_depend_on_the_devices():
  masking = bind(maskings.make(selection=dict(name="global_pmi", probability=.02)))
  mesh = jax.make_mesh((jax.device_count(),), ("data",),
                       axis_types=(jax.sharding.AxisType.Auto,))
  rows = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("data"))
  mask = jax.jit(functools.partial(masking, jax.random.key(0)))
  tokens, stage = maskings.TOKENIZER(BASES), masking.first_stage()
  for one, other in zip(jax.tree.leaves(mask(tokens, stage)),
                        jax.tree.leaves(mask(jax.device_put(tokens, rows), stage)),
                        strict=True):
    np.testing.assert_array_equal(one, other)
