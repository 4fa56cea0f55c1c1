"""slurm.sh and the job that it submits, run by bash with a fake srun."""

import os
import signal
import subprocess
import time

import fakes
import pytest

TRAINING = ["--config=configs/x.py", "--workdir=/shared/a run"]


@pytest.fixture
def faked(tmp_path):
  return fakes.Fakes(tmp_path / "fakes")


@pytest.mark.parametrize("code, restarts, limit, is_requeued", [
    (0, 0, 5, False), (2, 0, 5, False), (1, 0, 5, False), (137, 0, 5, False),
    (42, 0, 5, True), (42, 4, 5, True), (42, 5, 5, False), (42, 0, 0, False)])
def test_only_a_saved_training_goes_back_into_the_queue(faked, code, restarts, limit, is_requeued):
  faked.answer("srun", code=code)
  result = faked.run("slurm_job.sh", str(limit), "python", "-m", "dnajax.main", *TRAINING,
                     SLURM_JOB_ID="17", SLURM_RESTART_COUNT=str(restarts))
  assert result.returncode == code
  assert faked.calls("scontrol") == ([["scontrol", "requeue", "17"]] if is_requeued else [])
  [srun] = faked.calls("srun")
  assert srun[-5:] == ["python", "-m", "dnajax.main", *TRAINING]


def test_a_cancelled_job_is_not_requeued(faked):
  path = faked.home / "bin" / "srun"
  path.write_text(f"#!/bin/bash\ntouch {faked.home}/up\n/bin/sleep 2\nexit 42\n")
  job = subprocess.Popen(["bash", fakes.LAUNCH / "slurm_job.sh", "5", "python"],
                         env=faked.environment() | {"SLURM_JOB_ID": "17"})
  while not (faked.home / "up").exists():
    time.sleep(0.05)
  os.kill(job.pid, signal.SIGTERM)  # scancel signals the shell; a time limit only its tasks
  assert job.wait(timeout=20) == 42
  assert not faked.calls("scontrol")


def test_one_task_for_each_gpu_and_a_signal_before_the_limit(faked):
  result = faked.run("slurm.sh", "--gpus_per_node=4", "--nodes=2", "--time=24:00:00",
                     "--cpus_per_task=8", "--sbatch_args=--qos=long --exclusive", "--", *TRAINING)
  assert result.returncode == 0
  [call] = faked.calls("sbatch")
  assert {"--nodes=2", "--ntasks-per-node=4", "--gpus-per-node=4", "--signal=TERM@120",
          "--requeue", "--cpus-per-task=8", "--qos=long", "--exclusive"} <= set(call)
  assert call[-3:] == [*TRAINING, "--distributed"]


def test_a_chain_waits_job_for_job(faked):
  for i in range(3):
    faked.answer("sbatch", out=f"{100 + i};cluster\n")
  call = ("slurm.sh", "--gpus_per_node=8", "--time=1:00:00", "--chain=3")
  printed = faked.run(*call, "--dry_run", "--", *TRAINING).stdout
  assert faked.run(*call, "--", *TRAINING).returncode == 0
  for i in range(3):
    printed = printed.replace(f"JOB_{i + 1}", str(100 + i))
  assert faked.calls() == fakes.words(printed)
  assert "--dependency=afternotok:101" in faked.calls()[2]


def test_a_refused_job_ends_the_chain(faked):
  faked.answer("sbatch", error="sbatch: error: invalid partition", code=1)
  result = faked.run("slurm.sh", "--gpus_per_node=8", "--time=9", "--chain=3", "--", *TRAINING)
  assert result.returncode == 2 and "refused job 1 of 3" in result.stderr
  assert len(faked.calls("sbatch")) == 1
