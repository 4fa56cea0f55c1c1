"""Processes that come late, not at all, twice, or go: played by threads."""

import concurrent.futures
import socket
import threading
import time

import pytest

from dnajax.devices import peers, roll_call, start_up
from dnajax.shell import errors


@pytest.fixture
def address():
  with socket.socket() as one:
    one.bind(("localhost", 0))
    return f"localhost:{one.getsockname()[1]}"


def call_all(address, numbers, num_processes, **options):
  """{index: Peers, or the UserError of that process}."""
  with concurrent.futures.ThreadPoolExecutor() as pool:
    futures = {i: pool.submit(roll_call.call, address, num_processes, i,
                              say=lambda line: None, **options) for i in numbers}
  return {i: future.exception() or future.result() for i, future in futures.items()}


def watch_all(found):
  """{index: list of (text, whether it was an error) that it would end with}."""
  told = {i: [] for i in found}
  for i, one in found.items():
    one.watch(lambda text, is_error, i=i: told[i].append((text, is_error)))
  return told


def wait_until(is_true):
  deadline = time.monotonic() + 20
  while not is_true():
    assert time.monotonic() < deadline
    time.sleep(0.01)


@pytest.mark.parametrize("victim", [0, 1, 2])
def test_all_others_hear_who_has_gone(address, victim):
  found = call_all(address, range(3), 3)
  told = watch_all({i: one for i, one in found.items() if i != victim})
  for peer in found[victim]._peers:      # as the kernel does at its death
    peer.connection.shutdown(socket.SHUT_RDWR)
    peer.connection.close()
  wait_until(lambda: all(told.values()))
  for (text, is_error), *_ in told.values():
    assert text.startswith(f"Process {victim} of 3 (") and "has gone" in text and not is_error


def test_nobody_is_told_of_processes_that_end_well(address):
  found = call_all(address, range(3), 3)
  told = watch_all(found)
  for one in found.values():
    one.leave(has_failed=False)
  for one in found.values():
    for peer in one._peers:
      peer.connection.shutdown(socket.SHUT_RDWR)
    one._thread.join(20)
  assert not any(told.values())


def test_an_error_of_one_ends_the_others_as_an_error(address, monkeypatch):
  monkeypatch.setattr(peers, "_GRACE", 0.1)
  found = call_all(address, range(3), 3)
  told = watch_all({i: found[i] for i in (0, 2)})
  found[1].leave(has_failed=True)
  wait_until(lambda: all(told.values()))
  for (text, is_error), *_ in told.values():
    assert text.startswith("Process 1 of 3 (") and "has stopped with an error" in text
    assert is_error


def test_who_does_not_come_is_named_to_all_who_came(address, monkeypatch):
  monkeypatch.setattr(roll_call, "_SAY_AFTER", 0)
  said = []
  with concurrent.futures.ThreadPoolExecutor() as pool:
    first = pool.submit(roll_call.call, address, 4, 0, timeout=1, say=said.append)
    other = pool.submit(roll_call.call, address, 4, 2, timeout=1, say=said.append)
  for one in (first, other):
    assert "Processes 1, 3 of 4 did not come within 1 s" in str(one.exception())
    assert isinstance(one.exception(), errors.UserError)
  assert any(line.startswith("waiting for Processes 1") for line in said)


def test_a_coordinator_that_does_not_come_is_named(address):
  with pytest.raises(errors.UserError, match=f"Process 0 could not be reached at {address}"):
    roll_call.call(address, 2, 1, timeout=0.5)


def test_two_processes_with_one_number_are_told(address):
  with concurrent.futures.ThreadPoolExecutor() as pool:
    found = [pool.submit(roll_call.call, address, 3, i, timeout=20) for i in (0, 1, 1)]
  for one in found:
    assert "each with its own number" in str(one.exception())


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_a_process_that_was_started_again_meanwhile_takes_its_place(address, order):
  host, port = address.split(":")
  with concurrent.futures.ThreadPoolExecutor() as pool:
    first = pool.submit(roll_call.call, address, 3, 0, timeout=30)
    while True:
      try:
        with socket.create_connection((host, int(port))) as one:
          one.sendall(b"hello 1 3 there\n")
          time.sleep(0.2)
        break
      except OSError:
        time.sleep(0.05)
    others = []
    for i in order:
      others.append(pool.submit(roll_call.call, address, 3, i, timeout=30))
      time.sleep(0.2)    # the later one may find that nobody listens any more
  for one in (first, *others):
    assert isinstance(one.result(), peers.Peers)


def test_strangers_are_sent_away_and_a_port_in_use_is_told(address):
  host, port = address.split(":")

  def stranger():
    while True:
      try:
        with socket.create_connection((host, int(port))) as one:
          one.sendall(b"GET / HTTP/1.1\r\n\r\n")
          return
      except OSError:
        time.sleep(0.05)

  thread = threading.Thread(target=stranger)
  thread.start()
  with concurrent.futures.ThreadPoolExecutor() as pool:
    first = pool.submit(roll_call.call, address, 2, 0, timeout=20)
    thread.join()
    second = pool.submit(roll_call.call, address, 2, 1, timeout=20)
  assert isinstance(first.result(), peers.Peers) and isinstance(second.result(), peers.Peers)
  with socket.create_server(("", int(port))), pytest.raises(
      errors.UserError, match=f"cannot listen at port {port}"):
    roll_call.call(address, 2, 0, timeout=1)


@pytest.fixture
def environment(monkeypatch):
  for name in ("JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID"):
    monkeypatch.delenv(name, raising=False)
  return lambda **values: [monkeypatch.setenv(name, value) for name, value in values.items()]


def test_the_place_is_found_in_variables(environment):
  environment(JAX_COORDINATOR_ADDRESS="a:1", JAX_NUM_PROCESSES="4", JAX_PROCESS_ID="3")
  place = start_up.find()
  assert (place.address, place.num_processes, place.index) == ("a:1", 4, 3)
  assert "JAX_PROCESS_ID" in place.found_in


def test_the_place_is_found_under_srun_with_one_device_a_task(environment):
  environment(SLURM_JOB_ID="7", SLURM_STEP_NODELIST="node[03-04]", SLURM_NTASKS="8",
              SLURM_PROCID="5", SLURM_LOCALID="1", SLURM_STEP_NUM_NODES="2")
  place = start_up.find()
  assert (place.num_processes, place.index, place.local_devices) == (8, 5, [1])
  assert place.address.startswith("node03:")


@pytest.mark.parametrize("values, text", [
    ({}, "nothing says which process this is"),
    ({"JAX_COORDINATOR_ADDRESS": "a:1", "JAX_NUM_PROCESSES": "2"}, "JAX_PROCESS_ID not set"),
    ({"JAX_COORDINATOR_ADDRESS": "a:1", "JAX_NUM_PROCESSES": "two", "JAX_PROCESS_ID": "0"},
     "'two'.*whole numbers"),
    ({"JAX_COORDINATOR_ADDRESS": "a:1", "JAX_NUM_PROCESSES": "2", "JAX_PROCESS_ID": "2"},
     "must be 0 to 1")])
def test_a_place_that_is_not_told_or_wrong_is_refused(environment, values, text):
  environment(**values)
  with pytest.raises(errors.UserError, match=text):
    start_up.find()


@pytest.mark.parametrize("address", ["", "host", "host:", "host:x", "host:99999"])
def test_an_address_must_have_a_port(address):
  with pytest.raises(errors.UserError, match="HOST:PORT"):
    roll_call.call(address, 2, 0)
