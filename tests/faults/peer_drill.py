"""Kills one of two training processes: python -m tests.faults.peer_drill DATA SCRATCH VICTIM.

Prints what the other says, its exit code, and after how many seconds it has ended; then the same
command again has to end as if nothing had happened, with equal values and parameters.
"""

import os
import pathlib
import signal
import sys
import time

import numpy as np

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("DNAJAX_TEST_XLA_FLAGS", "")

from tests import processes, tiny  # reads the variables above

_STEPS = 80


def command(data, workdir, *more):
  """Arguments of a long tiny training."""
  return ["-u", "-m", "dnajax.main", "--config=configs/barcodemae.py:tiny", "--distributed",
          f"--workdir={workdir}", f"--config.data.dir={data}", "--config.evals=None",
          "--config.checkpoint.best=", "--config.checkpoint.every_steps=50", *more]


def main():
  """Runs the drill."""
  data, scratch, victim = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3])
  killed, whole = scratch / f"peer{victim}", scratch / "whole"
  started = processes.start(command(data, killed, f"--config.total_steps={_STEPS}"))
  for line in started[0].stdout:
    if line.startswith("step 60/"):
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
  left = sorted(int(path.name) for path in (killed / "checkpoints").iterdir()
                if path.name.isdigit())
  for workdir in (killed, whole):
    ended = processes.wait(processes.start(
        command(data, workdir, f"--config.total_steps={_STEPS}")))
    assert [(code, err) for code, _, err in ended] == 2 * [(0, "")], ended
  a, b = (tiny.recorded(path) for path in (killed, whole))
  assert a == b, "reported values differ"
  import jax
  jax.tree.map(np.testing.assert_array_equal, *map(tiny.params, (killed, whole)))
  print(f"went on from step {left[-1]} of {_STEPS}; {len(a)} reported values and all parameters "
        "equal those of a run left alone")


if __name__ == "__main__":
  main()
