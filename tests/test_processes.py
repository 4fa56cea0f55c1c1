"""Two processes compute what one computes."""

import numpy as np
import pytest
import tiny

from dnajax.training import run
from dnajax.workdir import metrics
from tests import processes


@pytest.mark.slow
@pytest.mark.parametrize("name", ["barcodemae", "barcode_id"])   # barcode_id: balanced batches
def test_two_processes_report_the_losses_of_one(name, tiny_data, tmp_path):
  run.run(tiny.values(name, tiny_data), tmp_path / "one")
  for code, _, err in processes.wait(processes.start(
      ["-m", "dnajax.main", f"--config=configs/{name}.py:tiny",
       f"--workdir={tmp_path / 'two'}", f"--config.data.dir={tiny_data}", "--distributed"])):
    assert code == 0, err
  one, two = ([(row["step"], name, row[name])
               for row in metrics.read_rows(tmp_path / name_ / "metrics.jsonl")
               for name in ("train/loss", "masked_loss/loss", "train/together/loss",
                            "knn_genus/accuracy")
               if name in row] for name_ in ("one", "two"))
  assert [x[:2] for x in one] == [x[:2] for x in two] and len(one) > 10
  np.testing.assert_allclose([x[2] for x in one], [x[2] for x in two], rtol=1e-4)
