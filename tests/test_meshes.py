"""Same losses on every mesh shape, with every way to cut the batch."""

import numpy as np
import pytest

from dnajax.training import run
from dnajax.workdir import metrics


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
