"""A run that begins on one mesh goes on on another as if nothing had happened."""

import contextlib
import shutil

import jax
import numpy as np
import pytest
import tiny

from dnajax.devices import partitioning
from dnajax.training import run

NUM_DEVICES = 8


def test_a_checkpoint_of_one_mesh_goes_on_on_another_and_on_one_device(tiny_config, tmp_path):
  run.run(tiny.on_mesh((2, 2, 2), tiny_config, total_steps=2), tmp_path / "a")
  for copy in ("b", "c"):
    shutil.copytree(tmp_path / "a", tmp_path / copy)
  want = tiny.train_losses(tiny.on_mesh((2, 2, 2), tiny_config, total_steps=4), tmp_path / "a")
  assert len(want) == 4
  got = tiny.train_losses(tiny.on_mesh((1, 8, 1), tiny_config, total_steps=4), tmp_path / "b")
  np.testing.assert_allclose(got, want, rtol=2e-5)
  with first_devices(1):
    got = tiny.train_losses(tiny.on_mesh((1, 1, 1), tiny_config, total_steps=4), tmp_path / "c")
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
