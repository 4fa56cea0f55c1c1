"""Same losses on every mesh shape, with every way to cut the batch."""

import numpy as np
import pytest

from dnajax.training import metrics, run


def train_losses(config, workdir):
  run.run(config, workdir)
  return [row["train/loss"] for row in metrics.read_rows(workdir / "metrics.jsonl")
          if "train/loss" in row]


@pytest.fixture(scope="module")
def expected():
  return {}


@pytest.mark.parametrize("mesh,accumulate_steps", [
    ((8, 1, 1), 1), ((2, 4, 1), 1), ((2, 2, 2), 1), ((1, 1, 8), 1), ((2, 2, 2), 4)])
def test_losses_do_not_depend_on_the_mesh(mesh, accumulate_steps, tiny_config,
                                          tmp_path, expected):
  data, fsdp, tensor = mesh
  config = tiny_config(mesh__data=data, mesh__fsdp=fsdp, mesh__tensor=tensor,
                       accumulate_steps=accumulate_steps, total_steps=4,
                       model__dropout=0.1 if accumulate_steps == 1 else 0.0)
  config.evals = {}
  got = train_losses(config, tmp_path)
  assert len(got) == 4
  want = expected.setdefault(config.model.dropout, got)
  np.testing.assert_allclose(got, want, rtol=2e-5)


def test_accumulation_changes_memory_only(tiny_config, tmp_path):
  losses = []
  for parts in (1, 2):
    config = tiny_config(accumulate_steps=parts, total_steps=4, mesh__data=2,
                         mesh__fsdp=4)
    config.evals = {}
    losses.append(train_losses(config, tmp_path / str(parts)))
  np.testing.assert_allclose(*losses, rtol=2e-5)
