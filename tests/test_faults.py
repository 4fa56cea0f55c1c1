"""What goes wrong around a run: signals, damaged files, stores that are not there."""

import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from dnajax.devices import processes as processes_lib
from dnajax.shell import errors
from dnajax.training import stopping
from dnajax.workdir import checkpointing
from tests import processes
from tests.workdir import states

STATES = processes.JOIN + """
import time
import numpy as np
from dnajax.shell import errors
from dnajax.training import stopping
from dnajax.workdir import checkpointing, load, resume
from tests.workdir import states
everywhere = jax.sharding.NamedSharding(
    jax.make_mesh((2,), ("data",)), jax.sharding.PartitionSpec())
def state(step):
  return jax.tree.map(lambda x: jax.make_array_from_callback(
      np.shape(x), everywhere, lambda index: np.asarray(x)[index]), states.make(step))
checkpointer = checkpointing.Checkpointer(sys.argv[1], keep=2)
"""

# Saves where it stops, as the training loop does; slower in one process than in the other.
LOOP = STATES + """
with stopping.Stopping() as asked:
  for step in range(5_000):
    if step == 20:
      print("at work", flush=True)
    if step == 5:  # the last save that orbax knows of lies behind
      checkpointer.save(step, state(step), states.meta())
    if asked.must_stop(step):
      checkpointer.save(step, state(step), states.meta())
      break
    time.sleep(0.01 * (1 + jax.process_index()))
checkpointer.close()
print("saved", step)
sys.exit(stopping.EXIT_CODE)
"""

RESUME = STATES + """
step = checkpointer.latest_step() if sys.argv[2:] else resume.find_step(sys.argv[1])[0]
abstract = jax.eval_shape(lambda: states.make(0))
try:
  got = checkpointer.restore(step, abstract, jax.tree.map(lambda _: everywhere, abstract))
  assert got.params["encoder"]["kernel"].sharding == everywhere
  jax.tree.map(np.testing.assert_array_equal, jax.device_get(got), states.make(step))
  jax.tree.map(np.testing.assert_array_equal, checkpointing.load_params(sys.argv[1], step),
               states.make(step).params)
  print("restored", step)
except errors.UserError as error:
  print(error)
checkpointer.close()
"""


@pytest.mark.slow
@pytest.mark.parametrize("told", [(1,), (0, 1)])
def test_sigterm_to_any_of_two_processes_saves_one_step_and_ends_both(told, tmp_path):
  started = processes.start(["-c", LOOP, str(tmp_path)])
  for process in started:
    assert "at work\n" in iter(process.stdout.readline, ""), process.stderr.read()
  for i in told:
    started[i].send_signal(signal.SIGTERM)
  ended = processes.wait(started)
  assert [code for code, _, _ in ended] == [42, 42], ended
  (_, first, _), (_, second, _) = ended
  assert first == second
  step = int(first.split()[1])
  assert checkpointing.saved_steps(tmp_path) == [5, step] and 20 < step < 2_000
  np.testing.assert_array_equal(
      checkpointing.load_params(tmp_path, step)["encoder"]["kernel"],
      np.full((3, 4), step, np.float32))


@pytest.mark.slow
def test_two_processes_restore_what_one_saved_and_both_name_a_flipped_bit(tmp_path):
  """As a run does it: process 0 looks for the step alone, the other waits for it."""
  states.save(tmp_path, (4, 8))
  for code, out, err in processes.wait(processes.start(["-c", RESUME, str(tmp_path)])):
    assert (code, out) == (0, "restored 8\n"), err
  path = next(path for path in (tmp_path / "checkpoints/8/state/d").iterdir())
  content = bytearray(path.read_bytes())
  content[-1] ^= 1
  path.write_bytes(content)
  for code, out, err in processes.wait(processes.start(["-c", RESUME, str(tmp_path), "latest"])):
    assert code == 0 and f"damaged: state/d/{path.name} is not what" in out, err


def test_sigterm_to_one_process_is_seen_and_the_old_handler_comes_back():
  before = signal.getsignal(signal.SIGTERM)
  with stopping.Stopping() as asked:
    assert not asked.must_stop(3)
    os.kill(os.getpid(), signal.SIGTERM)
    assert asked.must_stop(4) and asked.must_stop(5)
  assert signal.getsignal(signal.SIGTERM) == before


def test_outside_the_main_thread_signals_are_left_alone():
  found = []

  def work():
    with stopping.Stopping() as asked:
      found.append((asked.must_stop(1), signal.getsignal(signal.SIGTERM)))

  before = signal.getsignal(signal.SIGTERM)
  thread = threading.Thread(target=work)
  thread.start()
  thread.join()
  assert found == [(False, before)]


# Process 1 sees the work done from the start, process 0 does not.
WORK = processes.JOIN + """
from dnajax.devices import processes
from dnajax.shell import errors
done = []
processes.on_first_process(lambda: done.append(1))
assert len(done) == (jax.process_index() == 0)

def fail(error):
  raise error

for error in (errors.UserError("no such data set"), ZeroDivisionError("a mistake")):
  try:
    processes.on_first_process(lambda: fail(error))
  except Exception as seen:
    print(type(seen).__name__, seen)
processes.on_first_process(lambda: None)
"""


@pytest.mark.slow
def test_what_the_first_process_does_or_fails_at_reaches_the_second():
  (code, first, err), (other_code, second, other_err) = processes.wait(
      processes.start(["-c", WORK]))
  assert (code, other_code) == (0, 0), (err, other_err)
  assert first == "UserError no such data set\nZeroDivisionError a mistake\n"
  assert second == ("UserError no such data set\n"
                    "RuntimeError Process 0 failed: a mistake\n")


def test_alone_a_process_just_does_it():
  done = []
  processes_lib.on_first_process(lambda: done.append(1))
  assert done == [1]
  with pytest.raises(errors.UserError, match="wrong"):
    processes_lib.on_first_process(lambda: (_ for _ in ()).throw(errors.UserError("wrong")))


def test_a_store_without_its_package_is_refused_by_a_command_in_one_line():
  script = ("import importlib.util; from dnajax.shell import errors, files; "
            "importlib.util.find_spec = lambda name: None; "
            "errors.exit_cleanly(lambda: files.path('gs://bucket/run'))()")
  done = subprocess.run([sys.executable, "-c", script], cwd=processes.ROOT,
                        capture_output=True, text=True)
  assert done.returncode == 2
  assert done.stderr == ("error: gs://bucket/run: gs:// needs the package gcsfs; install it "
                         "with: pip install 'dnajax[gcs]'\n")
