"""Scripts run by several processes of this machine that know each other."""

import os
import pathlib
import socket
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

JOIN = """
import os, sys
import jax
jax.distributed.initialize(num_processes=2, process_id=int(os.environ["JAX_PROCESS_ID"]))
"""


def start(arguments, num_processes=2, **environment):
  """Starts `python ARGUMENTS` as processes 0, 1, … of one computation.

  Args:
    arguments: after the interpreter.
    num_processes: how many.
    **environment: more variables.

  Returns:
    List of subprocess.Popen with text pipes.
  """
  with socket.socket() as one:
    one.bind(("localhost", 0))
    port = one.getsockname()[1]
  env = {**os.environ, "JAX_NUM_PROCESSES": str(num_processes),
         "XLA_FLAGS": os.environ["DNAJAX_TEST_XLA_FLAGS"],
         "JAX_COORDINATOR_ADDRESS": f"localhost:{port}", **environment}
  return [subprocess.Popen(
      [sys.executable, *arguments], cwd=ROOT, env={**env, "JAX_PROCESS_ID": str(i)},
      stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
      for i in range(num_processes)]


def wait(started, timeout=240):
  """[(exit code, stdout, stderr)] once all have ended; none is left running.

  What the library that connects CPUs prints is taken out.
  """
  try:
    ended = [process.communicate(timeout=timeout) for process in started]
  finally:
    for process in started:
      process.kill()
  return [(process.returncode, "".join(line for line in out.splitlines(keepends=True)
                                       if not line.startswith("[Gloo]")), err)
          for process, (out, err) in zip(started, ended, strict=True)]
