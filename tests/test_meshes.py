"""Same losses on every mesh shape, with every way to cut the batch."""

import jax
import numpy as np
import pytest
import tiny

from dnajax.config import plan as plan_lib
from dnajax.data import random_split
from dnajax.inference import encode

NUM_DEVICES = 8


@pytest.fixture(scope="module")
def expected():
  return {}


@pytest.mark.parametrize("mesh,accumulate_steps", [
    ((8, 1, 1), 1), ((2, 2, 2), 1), ((2, 2, 2), 4), ((2, 4, 1), 2)])
def test_losses_do_not_depend_on_the_mesh_nor_on_accumulation(
    mesh, accumulate_steps, tiny_config, tmp_path, expected):
  data, fsdp, tensor = mesh
  # Dropout draws anew in each part of an accumulated batch.
  dropout = 0.1 if accumulate_steps == 1 else 0.0
  got = tiny.train_losses(tiny_config(
      has_evals=False, mesh__data=data, mesh__fsdp=fsdp, mesh__tensor=tensor,
      accumulate_steps=accumulate_steps, total_steps=4, encoder__dropout=dropout), tmp_path)
  assert len(got) == 4
  np.testing.assert_allclose(got, expected.setdefault(dropout, got), rtol=2e-5)


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
