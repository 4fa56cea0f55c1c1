"""evaluate and embed say the same on every mesh, whatever mesh the run was trained on."""

import json
import os

import jax
import numpy as np
import pytest
import tiny
import untrained

from dnajax.config import plan as plan_lib
from dnajax.inference import encode
from dnajax.shell import command_line, errors
from dnajax.workdir import checkpointing, load

NUM_DEVICES = 8
EIGHT = {"XLA_FLAGS": os.environ["XLA_FLAGS"] + " --xla_force_host_platform_device_count=8"}
CUT = {"data": 2, "fsdp": 2, "tensor": 2}
FLAG = "--mesh=data=2,fsdp=2,tensor=2"


@pytest.fixture(scope="module")
def workdir(tiny_data, tmp_path_factory):
  """As a run on fsdp=4, tensor=2 leaves it, but for the updates."""
  path = tmp_path_factory.mktemp("runs") / "meshed"
  plan = plan_lib.make(tiny.values(
      "barcodemae", tiny_data, mesh__data=1, mesh__fsdp=4, mesh__tensor=2,
      checkpoint__best=""))
  params = plan.make_state().params
  assert len({leaf.sharding.spec for leaf in jax.tree.leaves(params)}) > 1
  checkpointer = checkpointing.Checkpointer(path, keep=1)
  checkpointer.save(2, untrained.State(params), plan.meta)
  checkpointer.close()
  return path


def called(*args, env=None):
  code, out, err = tiny.call(*args, env=env)
  assert code == 0, err
  return out


def test_evaluations_are_equal(workdir):
  def numbers(*more, **options):
    called("dnajax.evaluate", f"--workdir={workdir}", "--evals=masked_loss,knn_genus", *more,
           **options)
    found = json.loads((workdir / "report/results.json").read_text())["results"]
    return {(one["evaluator"], one["features"], one["metric"]): one["value"] for one in found
            if one["value"] is not None}

  cut, whole = numbers(FLAG, env=EIGHT), numbers()
  assert cut.keys() == whole.keys() >= {("masked_loss", "trained encoder", "loss"),
                                        ("knn_genus", "trained encoder", "accuracy")}
  np.testing.assert_allclose(list(cut.values()), [whole[key] for key in cut], rtol=2e-5)


def test_embeddings_are_equal(workdir, tmp_path):
  rng = np.random.default_rng(0)
  (tmp_path / "x.fa").write_text("".join(
      f">{i}\n{''.join(rng.choice(list('ACGT'), 20 + 5 * i))}\n" for i in range(11)))

  def rows(name, *more, **options):
    called("dnajax.embed", f"--workdir={workdir}", f"--input={tmp_path / 'x.fa'}",
           f"--output={tmp_path / name}.npy", *more, **options)
    return np.load(tmp_path / f"{name}.npy")

  np.testing.assert_allclose(rows("cut", FLAG, env=EIGHT), rows("whole"), rtol=1e-5, atol=1e-5)


def test_parameters_are_cut_up_over_the_axes_of_the_model(workdir):
  trained = load.load(workdir)

  def of_one_device(sizes):
    params = encode.on_devices(trained.params, encode.local_mesh(sizes), trained.model)
    return sum(leaf.addressable_shards[0].data.size for leaf in jax.tree.leaves(params))

  assert of_one_device({"fsdp": 8}) < 0.5 * of_one_device(CUT) + 0.5 * of_one_device(None)
  assert of_one_device(CUT) < 0.7 * of_one_device(None)


@pytest.mark.parametrize("texts, message", [
    (["fsdp=3"], "--mesh=.*'fsdp': 3.* does not fit 8 devices"),
    (["fsdp=0"], "sizes are positive"), (["rows=8"], "no axis 'rows'.*data, fsdp, tensor"),
    (["fsdp"], "--mesh=fsdp: write AXIS=DEVICES"), (["fsdp=x"], "write AXIS=DEVICES")])
def test_a_mesh_that_cannot_be_is_refused(texts, message):
  with pytest.raises(errors.UserError, match=message):
    encode.local_mesh(command_line.mesh(texts))
