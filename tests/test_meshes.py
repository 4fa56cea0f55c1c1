"""Same losses and features on every mesh shape, in one batch or in parts."""

import jax
import numpy as np
import pytest
import tiny

from dnajax.config import plan as plan_lib
from dnajax.data import random_split
from dnajax.inference import encode

NUM_DEVICES = 8


def test_losses_do_not_depend_on_the_mesh_nor_on_accumulation(tiny_config, tmp_path):
  losses = []
  for (data, fsdp, tensor), accumulate_steps in (((8, 1, 1), 1), ((2, 2, 2), 4)):
    # Dropout draws anew in each part of an accumulated batch.
    losses.append(tiny.train_losses(tiny_config(
        has_evals=False, mesh__data=data, mesh__fsdp=fsdp, mesh__tensor=tensor, total_steps=4,
        accumulate_steps=accumulate_steps, encoder__dropout=0.0), tmp_path / str(data)))
  assert len(losses[0]) == 4
  np.testing.assert_allclose(*losses, rtol=2e-5)


@pytest.mark.parametrize("mesh", [(1, 8, 1), (2, 2, 2)])
def test_features_are_the_same_on_every_mesh(mesh, tiny_config):
  plan = plan_lib.make(tiny.on_mesh(mesh, tiny_config))
  assert dict(plan.mesh.shape) == dict(zip(("data", "fsdp", "tensor"), mesh, strict=True))
  params = plan.make_state().params
  lie = {leaf.sharding.spec for leaf in jax.tree.leaves(params)}
  assert len(lie) > 1                              # cut up as in training
  bases = random_split.RandomSplit().bases(range(20), plan.tokenizer.read_length)
  features = lambda params, mesh: encode.encoder_features(
      plan.model.module, params, bases, tokenizer=plan.tokenizer, batch_size=16, mesh=mesh)
  np.testing.assert_allclose(features(params, plan.mesh), features(jax.device_get(params), None),
                             rtol=1e-5, atol=1e-5)
