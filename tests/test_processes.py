"""Two processes compute what one computes."""

import os
import pathlib
import socket
import subprocess
import sys

import numpy as np
import pytest

from dnajax.training import metrics, run

ROOT = pathlib.Path(__file__).resolve().parent.parent


def free_port():
  with socket.socket() as one:
    one.bind(("localhost", 0))
    return one.getsockname()[1]


@pytest.mark.slow
def test_two_processes_report_the_losses_of_one(tiny_config, tiny_data, tmp_path):
  config = tiny_config()
  run.run(config, tmp_path / "one")
  env = {**os.environ, "JAX_NUM_PROCESSES": "2",
         "XLA_FLAGS": os.environ["DNAJAX_TEST_XLA_FLAGS"],
         "JAX_COORDINATOR_ADDRESS": f"localhost:{free_port()}"}
  processes = [subprocess.Popen(
      [sys.executable, "-m", "dnajax.main", "--config=configs/barcodemae.py:tiny",
       f"--workdir={tmp_path / 'two'}", f"--config.data.dir={tiny_data}",
       "--distributed"], cwd=ROOT, env={**env, "JAX_PROCESS_ID": str(i)},
      stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for i in range(2)]
  for process in processes:
    _, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
  one, two = ([(row["step"], name, row[name])
               for row in metrics.read_rows(tmp_path / name_ / "metrics.jsonl")
               for name in ("train/loss", "masked_loss/loss", "knn_genus/accuracy")
               if name in row] for name_ in ("one", "two"))
  assert [x[:2] for x in one] == [x[:2] for x in two] and len(one) > 10
  np.testing.assert_allclose([x[2] for x in one], [x[2] for x in two], rtol=1e-4)
