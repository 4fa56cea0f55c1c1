"""Kills one of two training processes: python -m tests.faults.peer_drill DATA SCRATCH VICTIM.

Prints what the other says, its exit code, and after how many seconds it has ended.
"""

import os
import pathlib
import signal
import sys
import time

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("DNAJAX_TEST_XLA_FLAGS", "")

from tests import processes  # reads the variables above


def command(data, workdir, *more):
  """Arguments of a long tiny training."""
  return ["-u", "-m", "dnajax.main", "--config=configs/barcodemae.py:tiny", "--distributed",
          f"--workdir={workdir}", f"--config.data.dir={data}", "--config.evals=None",
          "--config.checkpoint.best=", "--config.checkpoint.every_steps=50", *more]


def main():
  """Runs the drill."""
  data, scratch, victim = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3])
  started = processes.start(command(data, scratch / f"peer{victim}",
                                    "--config.total_steps=100000"))
  for line in started[0].stdout:
    if line.startswith("step 100/"):
      break
  started[victim].send_signal(signal.SIGKILL)
  begin = time.monotonic()
  other = started[1 - victim]
  while other.poll() is None:
    time.sleep(0.01)
  seconds = time.monotonic() - begin
  _, err = other.communicate()
  print(f"process {victim} killed; the other ended after {seconds:.2f} s with "
        f"{other.returncode} and said:\n{err}")


if __name__ == "__main__":
  main()
