"""Start of a run of several processes: which one this is, and how the others are found.

Cloud TPU (several slices too), SLURM (under srun) and Open MPI say it to JAX themselves;
jobs of Kubernetes, managed instance groups and a list of hosts through JAX_COORDINATOR_ADDRESS,
JAX_NUM_PROCESSES and JAX_PROCESS_ID, which go first.
"""

import contextlib
import dataclasses
import os

import jax

from dnajax.devices import peers as peers_lib
from dnajax.devices import roll_call
from dnajax.shell import errors

_VARIABLES = ("JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID")
_SECONDS = 300  # for all to appear; who is missing is said after 30


@dataclasses.dataclass(frozen=True)
class Place:
  """Which process this is."""
  address: str            # HOST:PORT of process 0
  num_processes: int
  index: int              # of this process
  local_devices: list | None   # numbers of its devices on its host; None: all
  found_in: str           # where all this was found


def find():
  """The Place of this process.

  Raises:
    UserError: nothing says it, or what says it is wrong.
  """
  address, *numbers = (os.environ.get(name) for name in _VARIABLES)
  given = [name for name in _VARIABLES if os.environ.get(name)]
  try:
    num_processes, index = (int(text) if text else None for text in numbers)
  except ValueError as error:
    raise errors.UserError(f"--distributed: JAX_NUM_PROCESSES={numbers[0]!r} and "
                           f"JAX_PROCESS_ID={numbers[1]!r} must be whole numbers.") from error
  detected = (address, num_processes, index, None)
  if os.environ.get("JAX_LOCAL_DEVICE_IDS") is None:
    detected = _detect(*detected)
  if None in detected[:3]:
    missing = [name for name, value in zip(_VARIABLES, detected, strict=False)
               if value is None]
    raise errors.UserError(
        f"--distributed: nothing says which process this is ({', '.join(missing)} not set). "
        "On a TPU pod and under srun nothing is needed; elsewhere set "
        "JAX_COORDINATOR_ADDRESS=HOST:PORT, JAX_NUM_PROCESSES and JAX_PROCESS_ID.")
  if not 0 <= detected[2] < detected[1]:
    raise errors.UserError(f"--distributed: JAX_PROCESS_ID={detected[2]} must be 0 to "
                           f"{detected[1] - 1}, for JAX_NUM_PROCESSES={detected[1]}.")
  return Place(*detected, found_in=", ".join(given) if len(given) == 3 else "the cluster")


def _detect(*given):
  """What is not given, from Cloud TPU, SLURM, Open MPI or Kubernetes, as JAX knows them."""
  from jax._src import clusters  # what jax.distributed.initialize does with the same values
  try:
    return clusters.ClusterEnv.auto_detect_unset_distributed_params(*given, None, _SECONDS)
  except (AttributeError, TypeError, KeyError, OSError, RuntimeError, ValueError) as error:
    if None not in given[:3]:
      return given
    raise errors.UserError(
        f"--distributed: what the cluster says cannot be used ({type(error).__name__}: "
        f"{error}). Set {', '.join(_VARIABLES)} instead.") from error


@contextlib.contextmanager
def joined(code_when_gone, *, timeout=_SECONDS, say=print):
  """While active, this process is one of several, and ends when another one is gone.

  Args:
    code_when_gone: exit code where another process has gone without a word; 2 where it
      has met an error.
    timeout: seconds for all to appear.
    say: called with a line that says what was found.

  Raises:
    UserError: the others did not appear, or nothing says who they are.
  """
  place = find()
  peers = roll_call.call(place.address, place.num_processes, place.index, timeout=timeout,
                         say=say)
  jax.distributed.initialize(place.address, place.num_processes, place.index,
                             place.local_devices, initialization_timeout=timeout)
  peers.watch(lambda text, is_error: peers_lib.end_at_once(
      f"error: {text}. The same command in all processes goes on from the last checkpoint.",
      2 if is_error else code_when_gone))
  say(f"process     {place.index} of {place.num_processes}, coordinator {place.address} "
      f"(from {place.found_in}); {jax.local_device_count()} of {jax.device_count()} "
      f"devices are its own")
  try:
    yield
  except SystemExit:
    peers.leave(has_failed=False)   # asked to stop, as all others are
    raise
  except BaseException as error:
    if not isinstance(error, errors.UserError | KeyboardInterrupt):
      peers.wait_for_news()  # where another process has gone, a collective fails here first
    code = errors.tell(error)
    peers.leave(has_failed=True)
    os._exit(code)           # at exit JAX would wait for the others
  peers.leave(has_failed=False)
