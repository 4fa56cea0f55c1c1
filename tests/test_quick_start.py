"""configs/quick_start.ipynb: its cells run, and the outputs that are kept are presentable."""

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
FILE = ROOT / "configs" / "quick_start.ipynb"
CELLS = json.loads(FILE.read_text("utf-8"))["cells"]
CODE = [cell for cell in CELLS if cell["cell_type"] == "code"]
OUTPUTS = [output for cell in CODE for output in cell["outputs"]]


@pytest.mark.slow
def test_its_cells_run_from_the_first_to_the_last(tmp_path):
  pytest.importorskip("matplotlib")
  source = "\n\n".join("".join(cell["source"]) for cell in CODE)
  assert source.count("EPOCHS = 10\n") == 1
  (tmp_path / "cells.py").write_text(source.replace("EPOCHS = 10\n", "EPOCHS = 1\n"), "utf-8")
  env = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
  env |= {"PYTHONPATH": str(ROOT), "MPLBACKEND": "agg", "JAX_PLATFORMS": "cpu"}
  done = subprocess.run([sys.executable, "cells.py"], cwd=tmp_path, env=env, text=True,
                        capture_output=True, timeout=600)
  assert done.returncode == 0, done.stderr[-3_000:]
  assert "384 sequences -> (384, 512), float32" in done.stdout
  right = re.search(r"species of 384 other sequences: ([\d.]+)% right", done.stdout)
  assert float(right[1]) > 80


def test_the_outputs_kept_are_of_one_run_without_errors():
  assert [cell["execution_count"] for cell in CODE] == list(range(1, len(CODE) + 1))
  assert {output["output_type"] for output in OUTPUTS} == {"stream", "display_data"}
  assert not [output for output in OUTPUTS if output.get("name") == "stderr"]
  assert sum("image/png" in output.get("data", {}) for output in OUTPUTS) == 2


def test_the_file_is_small_and_says_nothing_of_the_machine_that_ran_it():
  text = FILE.read_text("utf-8")
  assert len(text) < 300_000
  lines = [line for output in OUTPUTS for line in output.get("text", ())]
  assert not [line for line in lines if re.search(r"(^|[\s'\"(=])(/\w|~/|[A-Z]:\\)", line)]
