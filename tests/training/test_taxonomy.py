"""All losses of labels at once: in a plan, trained on eight devices, evaluated."""

import types as python_types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny

from dnajax.config import experiment
from dnajax.config import plan as plan_lib
from dnajax.results import measure
from dnajax.shell import errors
from dnajax.training import run

LOSSES = dict(
    losses__taxa__name="cross_entropy", losses__taxa__ranks=("genus", "family"),
    losses__taxa__head="cosine", losses__taxa__margin=0.2, losses__taxa__label_smoothing=0.1,
    losses__taxa__smoothing_along_taxonomy=True, losses__taxa__head_dropout=0.0,
    losses__taxa__ramp_steps=4,
    losses__pairs__name="pairs", losses__pairs__rank="genus", losses__pairs__head_width=4,
    losses__triplet__name="triplet", losses__triplet__rank="genus",
    losses__contrast__name="supervised_contrastive", losses__contrast__rank="family",
    losses__vicreg__name="vicreg", encoder__dropout=0.0,
    encoder__depth=1, objective__decoder_depth=1)


def test_a_plan_binds_the_taxonomy_and_counts_only_real_rows(tiny_config):
  plan = plan_lib.make(tiny_config(has_evals=False, **LOSSES))
  task, split = plan.task, plan.split
  genus, family = split.labels("genus"), split.labels("family")
  parents = task.losses["taxa"].parents["genus"]
  assert all(parents[g] == f for g, f in zip(genus, family, strict=True) if min(g, f) >= 0)
  assert plan.experiment.losses["taxa"].smoothing_along_taxonomy and task.main == "masked"

  # The weight rises from 0 with the updates.
  batch = {"bases": jnp.asarray(split.bases(range(16), plan.tokenizer.read_length)),
           "labels": {column: jnp.asarray(split.labels(column)[:16]) for column in task.labels}}
  prepare = task.make_prepare()
  for step, share in ((0, 0.0), (2, 0.5), (9, 1.0)):
    state = python_types.SimpleNamespace(step=jnp.asarray(step), progress=task.start())
    _, scales, _ = prepare(jax.random.key(0), jax.random.key(1), batch, state)
    known = sum(int((batch["labels"][rank] >= 0).sum()) for rank in ("genus", "family"))
    assert float(scales["taxa"]) == pytest.approx(share / known)
    assert float(scales["vicreg"]) == pytest.approx(1 / 16)

  params = plan.initial_params()
  said = jax.jit(task.predict)(params, batch["bases"])
  assert set(said) == {"taxa"} and set(said["taxa"]) == {"genus", "family"}

  # Rows that only fill up a batch are in no loss.
  is_real = jnp.arange(16) < 11
  sums = jax.jit(task.eval_sums)
  got = sums(params, batch | {"is_real": is_real}, jax.random.key(0))
  filled = {"bases": jnp.where(is_real[:, None], batch["bases"], batch["bases"][:1]),
            "labels": {column: jnp.where(is_real, ids, 0)
                       for column, ids in batch["labels"].items()}, "is_real": is_real}
  other = sums(params, filled, jax.random.key(0))
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), got, other)
  assert got["vicreg/weight"] == 11
  assert 0 < got["pairs/weight"] <= 11 and 0 < got["triplet/weight"] <= 11


def test_all_losses_train_and_are_evaluated(tiny_config, tmp_path):
  values = tiny_config(
      has_evals=False, **LOSSES, evals__masked_loss__name="mean_loss",
      evals__masked_loss__split="valid", evals__masked_loss__every_steps=8,
      evals__masked_loss__batch_size=16, evals__taxa__name="classification",
      evals__taxa__split="test", evals__taxa__every_steps=-1, evals__taxa__batch_size=16)
  run.run(values, tmp_path)
  last = {name: value for step, name, value in tiny.recorded(tmp_path) if step == 8}
  for name in ("taxa/accuracy", "taxa/family_accuracy", "pairs/accuracy", "triplet/loss",
               "contrast/loss", "vicreg/std"):
    assert np.isfinite(last[f"train/{name}"]) and np.isfinite(last[f"masked_loss/{name}"])
  assert not any("num_" in name for name in last if name.startswith("train/"))
  found = measure.evaluate(tmp_path, evals=["taxa"], say=lambda text: None)
  assert "taxa" in str(found)


def test_losses_that_compare_rows_want_whole_batches(tiny_config):
  with pytest.raises(errors.UserError, match="losses.pairs.name='pairs'.*accumulate_steps=1"):
    experiment.check(experiment.read(tiny_config(**LOSSES, accumulate_steps=2)))
