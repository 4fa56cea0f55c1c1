"""The commands of the README, at tiny size, as a user calls them."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from tiny import ONE_DEVICE, ROOT, call, start

from dnajax.training import stopping


def train(data, workdir, *more, config="barcodemae"):
  return call("dnajax.main", f"--config=configs/{config}.py:tiny",
              f"--workdir={workdir}", f"--config.data.dir={data}", *more)


@pytest.fixture(scope="module")
def trained(tiny_data, tmp_path_factory):
  """A finished tiny run: (workdir, console output)."""
  workdir = tmp_path_factory.mktemp("trained") / "run"
  code, out, err = train(tiny_data, workdir)
  assert code == 0, err
  return workdir, out


def test_training_says_what_happens_and_leaves_a_workdir(trained):
  workdir, out = trained
  for text in ("devices", "epochs", "parameters  random, seed 0", "step 8/8 100 %",
               "knn_genus/accuracy", "masked_loss/loss"):
    assert text in out
  assert {"config.json", "metrics.jsonl", "log.txt", "checkpoints"} <= {
      path.name for path in workdir.iterdir()}
  rows = [json.loads(line) for line in
          (workdir / "metrics.jsonl").read_text().splitlines()]
  assert {row["step"] for row in rows if "train/loss" in row} == set(range(1, 9))
  assert any("knn_genus/effective_rank" in row for row in rows)


@pytest.mark.slow
def test_evaluate_and_embed_need_only_the_workdir(trained, tmp_path):
  workdir, _ = trained
  code, out, err = call("dnajax.evaluate", f"--workdir={workdir}")
  assert code == 0, err
  assert "untrained" in out and (workdir / "report" / "results.json").exists()
  fasta = tmp_path / "some.fa"
  fasta.write_text(">a\nACGTACGTACGTACGT\n>b\nttttccccaaaagggg\nACGT\n")
  code, out, err = call("dnajax.embed", f"--workdir={workdir}", f"--input={fasta}",
                        f"--output={tmp_path / 'out.npy'}")
  assert code == 0, err
  assert np.load(tmp_path / "out.npy").shape == (2, 16)


def test_dry_run_tells_sizes_and_writes_nothing(tiny_data, tmp_path):
  code, out, err = train(tiny_data, tmp_path / "run", "--dry_run")
  assert code == 0, err
  assert "encoder/word" in out and "memory" in out and "7,712 parameters" in out
  # Every key, as it would be given, with its meaning.
  assert "no decay" in out and "--config.masking.capacity_sds=1.5" in out
  assert "--config.masking.selection.count=bernoulli" in out and "# share of the" in out
  assert not (tmp_path / "run").exists()


def test_sigterm_saves_and_exits_cleanly_and_the_same_command_goes_on(
    tiny_data, tmp_path):
  args = ("dnajax.main", "--config=configs/barcodemae.py:tiny",
          f"--workdir={tmp_path}", f"--config.data.dir={tiny_data}",
          "--config.total_steps=100000", "--config.checkpoint.every_steps=100000",
          "--config.evals.masked_loss.every_steps=0",
          "--config.evals.knn_genus.every_steps=0")
  process = start(*args)
  metrics = tmp_path / "metrics.jsonl"
  deadline = time.monotonic() + 120
  while not (metrics.exists() and metrics.stat().st_size):
    assert process.poll() is None and time.monotonic() < deadline
    time.sleep(0.05)
  process.send_signal(signal.SIGTERM)
  out, err = process.communicate(timeout=60)
  assert process.returncode == stopping.EXIT_CODE == 42, err  # 0 would say: finished
  assert "Stopped at step" in out
  saved = [int(path.name) for path in (tmp_path / "checkpoints").iterdir()
           if path.name.isdigit()]
  assert len(saved) == 1 and f"Stopped at step {saved[0]} " in out
  again = start(*args)
  for line in again.stdout:
    if line.startswith("parameters"):
      assert f"checkpoint of step {saved[0]}" in line
      break
  again.kill()
  again.communicate()


@pytest.mark.parametrize("args,message", [
    ([], "--config=FILE"),
    (["--config=configs/barcodemae.py:tiny"], "--workdir=DIR"),
    (["--config=configs/missing.py", "--workdir=x"], "missing.py"),
    (["--config=configs/barcodemae.py:tiny", "--workdir=x", "--mesh_report"], "--dry_run too"),
    (["--config=configs/barcodemae.py:huge", "--workdir=x"], "huge"),
    (["--config=configs/barcodemae.py:tiny", "--workdir=x",
      "--config.masking.selection.raito=0.3"], "did you mean config.masking.selection.ratio"),
    (["--config=configs/barcodemae.py:tiny", "--workdir=x",
      "--config.masking.selection.ratio=much"], "ratio='much' must be a number"),
    (["--config=configs/barcodemae.py:tiny", "--workdir=x",
      "--config.maskng.selection.ratio=0.3"], "no config.maskng; did you mean config.masking"),
    (["--config=configs/barcodemae.py:tiny", "--workdir=x", "--worker=3"], "worker"),
    (["--config=configs/barcodemae.py:tiny", "--workdir=x", "again"], "again"),
    (["--config=configs/barcodemae.py:bold", "--workdir=x",
      "--config.data.dir=nowhere"], "data_pipelines.prepare --dataset=barcodes"),
])
def test_a_wrong_command_line_gets_a_line_not_a_traceback(args, message, tmp_path):
  args = [arg.replace("configs/", f"{ROOT}/configs/") for arg in args]
  process = subprocess.run(
      [sys.executable, "-m", "dnajax.main", *args], cwd=tmp_path, text=True,
      env={**ONE_DEVICE, "PYTHONPATH": str(ROOT)}, capture_output=True)
  assert process.returncode != 0
  assert message in process.stderr and "Traceback" not in process.stderr
  assert not list(tmp_path.iterdir())


def test_everything_can_be_changed_also_in_a_part_named_there(tiny_data, tmp_path):
  code, out, err = train(
      tiny_data, tmp_path / "run", "--config.masking.selection.name=gene_mask",
      "--config.masking.selection.reach=7", "--config.masking.pmi_table=npmi_k3.npz",
      "--config.masking.curriculum.name=cm_step", "--config.evals.knn_genus.vote=distance",
      "--config.total_steps=2")
  assert code == 0, err
  config = json.loads((tmp_path / "run" / "config.json").read_text())
  assert config["masking"]["selection"]["reach"] == 7
  assert config["masking"]["curriculum"]["hard"]["name"] == "global_pmi"
  assert config["evals"]["knn_genus"]["vote"] == "distance"


def test_help_lists_the_flags_without_importing_jax():
  code, out, _ = call("dnajax.main", "--help")
  assert "--workdir" in out and "dry_run" in out and code in (0, 1)
  script = ("import sys, dnajax.main; "
            "sys.exit(int('jax' in sys.modules or 'flax' in sys.modules))")
  assert subprocess.run([sys.executable, "-c", script], cwd=ROOT).returncode == 0
