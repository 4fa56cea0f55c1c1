"""multi_gpu.sh with an ssh that stays on this machine; what on_worker.sh does on a worker."""

import os
import shutil
import signal
import subprocess
import sys
import time

import fakes
import pytest

TRAINING = ["--config=configs/x.py", "--workdir=/shared/a run"]
# Stands for the training; process 1 ends early with $CODE, the others save at SIGTERM.
PYTHON = """#!/bin/bash
echo "process $JAX_PROCESS_ID of $JAX_NUM_PROCESSES at $JAX_COORDINATOR_ADDRESS: $*"
trap 'echo saved; exit 42' TERM
touch {home}/up_$JAX_PROCESS_ID
if [[ $JAX_PROCESS_ID == 1 && -n $CODE ]]; then
  until [[ -e {home}/up_0 ]]; do /bin/sleep 0.05; done
  exit "$CODE"
fi
for ((i = 0; i < ${{TENTHS:-150}}; i++)); do /bin/sleep 0.1; done
"""


@pytest.fixture
def local(tmp_path):
  """ssh runs its line here, python is PYTHON."""
  faked = fakes.Fakes(tmp_path / "fakes", ("docker",))
  for name, text in {"ssh": '#!/bin/bash\nexec bash -c "${@:6}"\n',
                     "python": PYTHON.format(home=faked.home)}.items():
    (faked.home / "bin" / name).write_text(text)
    (faked.home / "bin" / name).chmod(0o755)
  return faked


def start(local, **variables):
  return subprocess.Popen(
      ["bash", fakes.LAUNCH / "multi_gpu.sh", "--hosts=node1,me@node2", "--grace_seconds=10", "--",
       *TRAINING], env=local.environment() | variables, cwd=fakes.ROOT, text=True,
      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
      # A shell cannot trap what it was started to ignore, as programs in the background are.
      preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))


def wait_for(paths):
  deadline = time.monotonic() + 20
  while not all(path.exists() for path in paths):
    assert time.monotonic() < deadline, paths
    time.sleep(0.05)


def test_every_host_gets_its_place_and_all_end(local):
  process = start(local, TENTHS="1")
  out, _ = process.communicate(timeout=30)
  assert process.returncode == 0
  for i, host in enumerate(("node1", "me@node2")):
    assert (f"[{host}] process {i} of 2 at node1:8476: -m dnajax.main --config=configs/x.py "
            "--workdir=/shared/a run --distributed") in out


@pytest.mark.parametrize("code", [1, 2, 137])
def test_one_that_dies_ends_the_others_which_save(local, code):
  process = start(local, CODE=str(code))
  out, error = process.communicate(timeout=30)
  assert process.returncode == code
  assert "[node1] saved" in out and f"me@node2: ended with {code}" in error


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_an_end_of_the_launcher_is_an_end_of_all(local, number):
  process = start(local)
  wait_for([local.home / "up_0", local.home / "up_1"])
  time.sleep(0.3)
  process.send_signal(number)
  out, _ = process.communicate(timeout=30)
  assert process.returncode == (42 if number != signal.SIGKILL else -signal.SIGKILL)
  assert out.count("saved") == 2


@pytest.fixture
def worker(tmp_path):
  """(command, ...) -> (exit code, stdout) of on_worker.sh in a copied tree with a fake venv."""
  faked = fakes.Fakes(tmp_path / "fakes", ("curl",))
  faked.answer("curl", code=22, always=True)
  launch = tmp_path / "home" / "dnajax" / "launch"
  launch.mkdir(parents=True)
  shutil.copy(fakes.LAUNCH / "on_worker.sh", launch)
  python = launch.parent / ".venv" / "bin" / "python"
  python.parent.mkdir(parents=True)
  python.write_text(PYTHON.format(home=faked.home))
  python.chmod(0o755)

  def run(*arguments, **variables):
    result = subprocess.run(
        ["bash", launch / "on_worker.sh", *arguments], capture_output=True, text=True, timeout=30,
        env=faked.environment() | {"HOME": str(tmp_path / "home")} | variables)
    return result.returncode, result.stdout.strip()
  run.faked = faked
  run.home = tmp_path / "home"
  return run


def test_a_training_outlives_its_call_and_is_stopped(worker):
  assert worker("status") == (0, "none")
  assert worker("start", *TRAINING)[0] == 0
  assert worker("status") == (0, "running")
  assert "goes on" in worker("start", *TRAINING)[1]  # a second one is not begun
  wait_for([worker.faked.home / "up_"])
  time.sleep(0.2)
  assert worker("stop", "10")[0] == 0
  time.sleep(0.5)
  assert worker("status") == (0, "stopped")
  code, out = worker("follow")
  assert code == 42 and out.count("--workdir=/shared/a run --distributed") == 1 and "saved" in out


def test_follow_shows_the_log_and_ends_with_its_exit_code(worker):
  worker("start", *TRAINING, TENTHS="3")
  code, out = worker("follow")
  assert code == 0 and "-m dnajax.main --config=configs/x.py" in out
  assert worker("status") == (0, "exit 0")


def test_a_machine_that_was_started_anew_knows_that_its_training_is_gone(worker):
  kept = worker.home / "dnajax_run"
  kept.mkdir()
  (kept / "pid").write_text(f"{os.getpid()} another-boot\n")  # a process id in use again
  assert worker("status") == (0, "gone")


def test_machines_of_compute_engine_tell_jax_their_place(worker):
  (worker.faked.home / "answers").write_text("[]")
  worker.faked.answer("agent-worker-number", code=22, always=True)
  worker.faked.answer("worker-id", out="1", always=True)
  worker.faked.answer("worker-network-endpoints", out="u:0:10.0.0.5,u:1:10.0.0.6", always=True)
  worker("start", *TRAINING, TENTHS="1")
  assert "process 1 of 2 at 10.0.0.5:8476" in worker("follow")[1]


def test_install_makes_an_environment_once_for_an_archive(worker):
  uv = worker.home / ".local" / "bin" / "uv"
  uv.parent.mkdir(parents=True)
  uv.write_text(f'#!/bin/bash\necho "$*" >> {worker.home}/uv\n')
  uv.chmod(0o755)
  (worker.home / "dnajax.tar.gz").write_text("one")
  assert worker("install", "tpu,gcs")[1].endswith(": installed")
  assert worker("install", "tpu,gcs")[1].endswith(": installed already")
  (worker.home / "dnajax.tar.gz").write_text("two")
  assert worker("install", "tpu,gcs")[1].endswith(": installed")
  assert (worker.home / "uv").read_text().splitlines()[1].endswith(".[tpu,gcs]")
  assert len((worker.home / "uv").read_text().splitlines()) == 4


def test_the_images_contain_what_the_package_needs():
  kept = {line[1:] for line in (fakes.ROOT / ".dockerignore").read_text().splitlines()
          if line.startswith("!")}
  assert all((fakes.ROOT / name).exists() for name in kept)
  packages = subprocess.run(
      [sys.executable, "-c", "import setuptools; print(*{p.split('.')[0] for p in "
       "setuptools.find_packages(include=['dnajax', 'dnajax.*', 'data_pipelines*'])})"],
      cwd=fakes.ROOT, capture_output=True, text=True, check=True).stdout.split()
  assert {*packages, "setup.py", "configs"} <= kept
