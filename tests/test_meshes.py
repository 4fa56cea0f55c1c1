"""Same losses on every mesh shape, with every way to cut the batch."""

import contextlib
import shutil

import jax
import numpy as np
import pytest
import tiny

from dnajax.config import plan as plan_lib
from dnajax.data import random_split
from dnajax.devices import partitioning
from dnajax.inference import encode
from dnajax.training import run
from dnajax.workdir import metrics

NUM_DEVICES = 8


def train_losses(values, workdir):
  run.run(values, workdir)
  return [row["train/loss"] for row in metrics.read_rows(workdir / "metrics.jsonl")
          if "train/loss" in row]


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
  got = train_losses(tiny_config(
      has_evals=False, mesh__data=data, mesh__fsdp=fsdp, mesh__tensor=tensor,
      accumulate_steps=accumulate_steps, total_steps=4, encoder__dropout=dropout), tmp_path)
  assert len(got) == 4
  np.testing.assert_allclose(got, expected.setdefault(dropout, got), rtol=2e-5)


def on(mesh, tiny_config, **changes):
  """Values for a mesh; the schedule is that of the whole run, however long it is."""
  data, fsdp, tensor = mesh
  return tiny_config(has_evals=False, mesh__data=data, mesh__fsdp=fsdp, mesh__tensor=tensor,
                     optimizer__schedule__name="constant", checkpoint__every_steps=2,
                     checkpoint__centre_records=0, **changes)


def test_a_checkpoint_of_one_mesh_goes_on_on_another_and_on_one_device(tiny_config, tmp_path):
  run.run(on((2, 2, 2), tiny_config, total_steps=2), tmp_path / "a")
  for copy in ("b", "c"):
    shutil.copytree(tmp_path / "a", tmp_path / copy)
  want = train_losses(on((2, 2, 2), tiny_config, total_steps=4), tmp_path / "a")
  assert len(want) == 4
  np.testing.assert_allclose(
      train_losses(on((1, 8, 1), tiny_config, total_steps=4), tmp_path / "b"), want, rtol=2e-5)
  with first_devices(1):
    got = train_losses(on((1, 1, 1), tiny_config, total_steps=4), tmp_path / "c")
  np.testing.assert_allclose(got, want, rtol=2e-5)


def test_cm_gems_switches_at_the_same_step_on_another_mesh(tiny_data, tmp_path):
  run.run(tiny.cm_gems_values(tiny_data, mesh__fsdp=2, mesh__tensor=2), tmp_path / "cut")
  with first_devices(1):
    run.run(tiny.cm_gems_values(tiny_data), tmp_path / "whole")
  assert tiny.switch_steps(tmp_path / "cut") == tiny.switch_steps(tmp_path / "whole")
  cut, whole = (np.array([value for _, name, value in tiny.recorded(tmp_path / one)
                          if name.endswith("/loss")]) for one in ("cut", "whole"))
  np.testing.assert_allclose(cut, whole, rtol=2e-4)


@contextlib.contextmanager
def first_devices(number):
  """Meshes are made of the first devices only."""
  with pytest.MonkeyPatch.context() as patch:
    make = partitioning.make_mesh
    patch.setattr(partitioning, "make_mesh",
                  lambda sizes: make(sizes, jax.devices()[:number]))
    yield


@pytest.mark.parametrize("mesh", [(1, 8, 1), (2, 2, 2)])
def test_features_are_the_same_on_every_mesh(mesh, tiny_config):
  plan = plan_lib.make(on(mesh, tiny_config))
  assert dict(plan.mesh.shape) == dict(zip(("data", "fsdp", "tensor"), mesh, strict=True))
  params = plan.make_state().params
  lie = {leaf.sharding.spec for leaf in jax.tree.leaves(params)}
  assert len(lie) > 1                              # cut up as in training
  bases = random_split.RandomSplit().bases(range(20), plan.tokenizer.read_length)
  features = lambda params, mesh: encode.encoder_features(
      plan.model.module, params, bases, tokenizer=plan.tokenizer, batch_size=16, mesh=mesh)
  np.testing.assert_allclose(features(params, plan.mesh), features(jax.device_get(params), None),
                             rtol=1e-5, atol=1e-5)
