"""Memory of this process: keeping what is freed, and the peak.

`keep_freed_memory` is for programs whose work is done on a CPU.

XLA on a CPU takes and frees all activations of a step through malloc. glibc
hands large blocks back to the kernel at once and gets them zeroed page by page
in the next step: about 430,000 page faults, 15 % of the time of a BarcodeMAE
step on 2 cores. The price is that memory once used stays with the process.
"""

import ctypes
import importlib.metadata
import importlib.util
import os
import resource
import sys

# Parameters of mallopt(3), malloc.h.
_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8


def keep_freed_memory_on_cpu():
  """`keep_freed_memory` where JAX can only compute on the CPU.

  Asks JAX for nothing: that would make the threads that this must come before. So a
  machine with the plugin of an accelerator counts as one that has the accelerator,
  unless JAX_PLATFORMS=cpu says otherwise.
  """
  platforms = os.environ.get("JAX_PLATFORMS")
  has_plugin = (importlib.util.find_spec("jax_plugins") or importlib.util.find_spec("libtpu")
                or importlib.metadata.entry_points(group="jax_plugins"))
  if platforms == "cpu" or not (platforms or has_plugin):
    keep_freed_memory()


def keep_freed_memory():
  """Tells glibc's malloc to reuse freed memory; does nothing elsewhere.

  To be called before threads are made: each keeps the heap that it got first.
  """
  mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
  if mallopt is not None:
    mallopt(_MMAP_MAX, 0)          # no block of its own for a large array
    mallopt(_TRIM_THRESHOLD, -1)   # never give the top of the heap back
    mallopt(_ARENA_MAX, 1)         # one heap: what one thread frees, all reuse


def available_bytes():
  """Memory that this machine can still give, bytes; None where the kernel does not say it."""
  try:
    with open("/proc/meminfo", encoding="ascii") as lines:
      return next(1024 * int(line.split()[1]) for line in lines
                  if line.startswith("MemAvailable:"))
  except (OSError, StopIteration):
    return None


def peak_mib():
  """Peak memory of this process so far, MiB."""
  peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  return peak / 2**20 if sys.platform == "darwin" else peak / 2**10  # bytes there
