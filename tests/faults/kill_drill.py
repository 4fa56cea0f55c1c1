"""SIGKILL at random moments, a save every step: python -m tests.faults.kill_drill DATA SCRATCH [N].

Kills a training N times (default 20), resumes it each time, and compares it with one that
was left alone: everything reported, all parameters, what lies in the folders.
"""

import pathlib
import random
import subprocess
import sys
import time

import numpy as np

from tests import processes, tiny
from tests.faults import peer_drill


def start(data, workdir, steps):
  """A training of one process that saves after every step."""
  arguments = [one for one in peer_drill.command(data, workdir) if one != "--distributed"]
  return subprocess.Popen(
      [sys.executable, *arguments, f"--config.total_steps={steps}",
       "--config.checkpoint.every_steps=1", "--config.log.every_steps=1"],
      cwd=processes.ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process):
  """Waits for a training that has to end well and to say nothing on stderr."""
  _, err = process.communicate()
  assert not err and process.returncode == 0, (process.returncode, err)


def main():
  """Runs the drill."""
  data, scratch = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
  kills, rng = int(sys.argv[3]) if len(sys.argv) > 3 else 20, random.Random(0)
  steps, inside = 12 * (kills + 2), 0
  finish(start(data, scratch / "whole", steps))
  for n in range(kills):
    process = start(data, scratch / "killed", steps)
    reports = (line for line in process.stdout if line.startswith("step "))
    for _ in range(rng.randint(3, 10)):
      next(reports)
    time.sleep(rng.uniform(0, 0.1))
    process.kill()
    process.communicate()
    left = [path.name for path in (scratch / "killed/checkpoints").iterdir()]
    inside += any("tmp" in name for name in left)
    print(f"kill {n + 1}: {sorted(left)}", flush=True)
  finish(start(data, scratch / "killed", steps))
  a, b = (tiny.recorded(scratch / name) for name in ("whole", "killed"))
  assert a == b, "reported values differ"
  import jax
  jax.tree.map(np.testing.assert_array_equal,
               *(tiny.params(scratch / name) for name in ("whole", "killed")))
  names = [sorted(path.name for path in (scratch / name).rglob("*") if "tmp" in path.name)
           for name in ("whole", "killed")]
  print(f"{kills} kills, {inside} with a save half written; {len(a)} reported values and all "
        f"parameters equal; left over: {names[1]}")


if __name__ == "__main__":
  main()
