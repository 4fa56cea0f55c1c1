"""More devices than the machine has, to compile for; what the compiler warns of."""

import contextlib
import os
import sys
import tempfile

import jax
from jax.experimental.compilation_cache import compilation_cache

from dnajax.shell import errors

_WARNING = "Involuntary full rematerialization"


def use_cpu_devices(number):
  """Makes JAX see `number` CPU devices, whatever the machine has.

  To be called before JAX has looked for devices.

  Raises:
    UserError: the environment hides warnings.
  """
  if os.environ.get("TF_CPP_MIN_LOG_LEVEL", "0") > "1":
    raise errors.UserError("TF_CPP_MIN_LOG_LEVEL hides what the partitioner warns of, which "
                           "the report of a mesh has to see. Unset it.")
  jax.config.update("jax_platforms", "cpu")
  jax.config.update("jax_num_cpu_devices", number)


@contextlib.contextmanager
def rematerialisations():
  """Collects what the partitioner says of arrays that it copies whole to every device.

  It says so on the process's standard error, from C++; the rest goes on to there. What is
  compiled inside is compiled anew: a stored program gives no warnings.

  Yields:
    List that holds the messages when the block has ended.
  """
  found = []
  sys.stderr.flush()
  stderr, is_cached = os.dup(2), jax.config.jax_enable_compilation_cache
  _use_cache(False)
  with tempfile.TemporaryFile() as caught:
    os.dup2(caught.fileno(), 2)
    try:
      yield found
    finally:
      _use_cache(is_cached)
      os.dup2(stderr, 2)
      os.close(stderr)
      caught.seek(0)
      for line in caught.read().decode(errors="replace").splitlines():
        if _WARNING in line:
          found.append(line[line.index(_WARNING):])
        else:
          print(line, file=sys.stderr)


def _use_cache(is_used):
  jax.config.update("jax_enable_compilation_cache", is_used)
  compilation_cache.reset_cache()   # whether there is one is asked once
