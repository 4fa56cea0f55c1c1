"""Freed memory is used again by the next step, not fetched from the kernel anew."""

import subprocess
import sys

import pytest

from dnajax.devices import host_memory

_STEPS = """
import resource
from dnajax.devices import host_memory
{call}
import jax, jax.numpy as jnp

@jax.jit
def step(x):
  a = jnp.sin(x[:, None] + x)  # 100 MB
  return a @ (a @ x)

x = jnp.arange(5_000.0)
def faults():
  return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

# The least of several steps: now and then another thread takes memory meanwhile.
counts = []
for _ in range(15):
  before = faults()
  step(x).block_until_ready()
  counts.append(faults() - before)
print(min(counts[5:]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="page faults of Linux, malloc of glibc")
def test_a_step_finds_its_memory_where_the_last_one_left_it():
  def faults(call):
    done = subprocess.run([sys.executable, "-c", _STEPS.format(call=call)], check=True,
                          capture_output=True, text=True)
    return int(done.stdout)

  fresh = faults("")
  assert fresh > 10_000  # else this test shows nothing
  assert faults("host_memory.keep_freed_memory_on_cpu()") < fresh / 10


@pytest.mark.parametrize("platforms, is_kept", [("cpu", True), ("cuda,cpu", False)])
def test_only_for_programs_that_compute_on_the_cpu(monkeypatch, platforms, is_kept):
  called = []
  monkeypatch.setattr(host_memory, "keep_freed_memory", lambda: called.append(1))
  monkeypatch.setenv("JAX_PLATFORMS", platforms)
  host_memory.keep_freed_memory_on_cpu()
  assert bool(called) == is_kept
