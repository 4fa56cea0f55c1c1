import jax
import jax.numpy as jnp
import maskings
import numpy as np
import pytest

from dnajax.masking import bound, find
from dnajax.shell import errors

SPLIT = maskings.Records()


def resolve(**values):
  """(settings found, lines, BoundMasking) of a config's values."""
  found, lines = find.resolve(maskings.make(**values), maskings.TOKENIZER, maskings.RANKS,
                              SPLIT)
  return found, lines, bound.bind(found, maskings.TOKENIZER, ranks=maskings.RANKS,
                                  score_unselected=False)


def achieved(masking, **stage):
  """(selected, lost slots) of fresh draws on the data, as shares of the maskable."""
  bases = jnp.asarray(SPLIT.bases(np.arange(64), 80))
  stage = masking.first_stage().replace(**stage)
  mask = jax.jit(lambda key: masking(key, maskings.TOKENIZER(bases), stage)[1])
  counts = [mask(jax.random.key(i)) for i in range(24)]
  maskable = sum(float(c["maskable"]) for c in counts)
  return [sum(float(c[name]) for c in counts) / maskable
          for name in ("selected", "scored_overflow", "kept_overflow")]


@pytest.mark.parametrize("name, ratio", [
    ("kmer_span", .5), ("random_window", .3), ("gene_mask", .2), ("global_pmi", .4)])
def test_the_probability_found_gives_the_ratio_asked_for(name, ratio):
  found, lines, masking = resolve(selection=dict(name=name, ratio=ratio),
                                  corruption=dict(name="drop"))
  assert 0 < found.selection.probability < 1
  selected, scored_overflow, kept_overflow = achieved(masking)
  assert abs(selected - ratio) < .03
  assert scored_overflow < .005 and kept_overflow < .005
  assert masking.num_scored == found.num_scored and masking.num_kept == found.num_kept
  assert len(lines) == 1 and f"{found.selection.probability:.4g}" in lines[0]
  assert find.resolve(found, maskings.TOKENIZER, maskings.RANKS, SPLIT)[0] == found


def test_a_given_probability_is_kept_and_slots_hold_nearly_all_rows():
  found, _, masking = resolve(selection=dict(name="kmer_span", probability=.025))
  assert found.selection.probability == .025
  assert masking.num_scored < maskings.TOKENIZER.num_tokens
  assert max(achieved(masking)[1:]) < .01


def test_each_phase_gets_a_probability_for_the_same_ratio():
  found, lines, masking = resolve(selection=dict(
      name="random_window", ratio=.3, sizes=(6, 10, 14), boundaries=(2, 4),
      counts=(1, 2, 3)))
  chances = found.selection.probabilities
  assert len(chances) == len(lines) == 3 and chances[0] > chances[1] > chances[2] > 0
  assert "random_window, phase 2: probability" in lines[1]
  for step in (0, 2, 4):
    assert abs(achieved(masking, step=jnp.int32(step))[0] - .3) < .03


def test_the_hard_selection_gets_a_probability_for_its_own_ratio():
  found, lines, masking = resolve(
      selection=dict(name="uniform", ratio=.1),
      curriculum=dict(name="cm_step", hard=dict(name="global_pmi", ratio=.3)))
  assert found.selection.ratio == .1 and found.curriculum.hard.probability > 0
  assert [line.split()[1].rstrip(":") for line in lines] == ["uniform", "global_pmi"]
  assert "uniform: ratio 0.1 selects" in lines[0]
  for is_hard, ratio in ((False, .1), (True, .3)):
    selected, lost, _ = achieved(masking, is_hard=jnp.bool_(is_hard))
    assert abs(selected - ratio) < .03 and lost < .005


def test_a_rate_factor_multiplies_what_is_selected_and_slots_make_room():
  for name in ("uniform", "kmer_span"):
    _, lines, masking = resolve(selection=dict(name=name, ratio=.15), capacity_sds=4.0,
                                rate=dict(boundaries=(4,), factors=(2.0,)))
    assert bool(lines) == (name != "uniform")  # which has a formula: nothing to find
    selected, lost, _ = achieved(masking, rate_factor=jnp.float32(2))
    assert abs(selected - (.3 if name == "uniform" else .275)) < .02 and lost < .002


def test_a_ratio_out_of_reach_is_refused_with_its_key(monkeypatch):
  monkeypatch.setattr(maskings.Records, "bases",
                      lambda self, ids, length: np.full((len(ids), length), 4, np.uint8))
  settings = maskings.make(curriculum=dict(name="cm_step", hard=dict(name="kmer_span")))
  with pytest.raises(errors.UserError, match=(
      r"config\.masking\.curriculum\.hard\.ratio=0\.15 cannot be reached with 'kmer_span'")):
    find.resolve(settings, maskings.TOKENIZER, None, SPLIT)


@pytest.mark.parametrize("values, key", [
    (dict(selection=dict(name="gene_mask")), "config.masking.selection.name='gene_mask'"),
    # Issue: the message blamed masking.selection, here uniform.
    (dict(curriculum=dict(name="cm_step")),
     "config.masking.curriculum.hard.name='global_pmi'"),
])
def test_a_missing_table_is_blamed_on_the_selection_that_needs_it(values, key):
  with pytest.raises(errors.UserError) as caught:
    find.load_ranks(maskings.make(**values), maskings.TOKENIZER)
  assert key in str(caught.value) and "config.masking.pmi_table" in str(caught.value)
  assert "--k=3" in str(caught.value)


def test_a_table_is_found_where_it_is_named_or_beside_the_records(tmp_path, monkeypatch):
  read = []
  monkeypatch.setattr(find.pmi, "load_ranks", lambda path, vocabulary: read.append(path))
  (tmp_path / "beside.npz").touch()
  for name in ("beside.npz", str(tmp_path / "beside.npz"), "missing.npz"):
    find.load_ranks(maskings.make(pmi_table=name), maskings.TOKENIZER, tmp_path)
  assert list(map(str, read)) == [str(tmp_path / "beside.npz")] * 2 + ["missing.npz"]
  assert find.load_ranks(maskings.make(), maskings.TOKENIZER, tmp_path) is None
