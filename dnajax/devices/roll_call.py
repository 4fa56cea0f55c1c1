"""Who is there at the start of a run of several processes.

JAX itself aborts with a stack trace of C++ where a process does not come, and does not say
which. So process 0 calls the roll first, at the address where JAX's coordinator will listen
afterwards.
"""

import contextlib
import socket
import time

from dnajax.devices import peers as peers_lib
from dnajax.shell import errors

_SAY_AFTER = 30  # seconds, then twice as many, …


def call(address, num_processes, index, *, timeout=300, say=print):
  """Waits until all processes are there.

  Args:
    address: "HOST:PORT" of process 0; the port is free again afterwards.
    num_processes: how many there are.
    index: of this process.
    timeout: seconds.
    say: called with a line after half a minute if somebody is missing.

  Returns:
    peers.Peers.

  Raises:
    UserError: names those who did not come; the address cannot be used; two processes have
      the same number.
  """
  host, _, port = address.rpartition(":")
  host = host.strip("[]")
  if not host or not port.isdigit() or not 0 < int(port) < 65_536:
    raise errors.UserError(f"The coordinator's address {address!r} must be HOST:PORT.")
  if index == 0:
    peers = _wait_for_all(int(port), num_processes, timeout, say)
  else:
    peers = [_report(host, int(port), num_processes, index, timeout, say)]
  return peers_lib.Peers(peers, index, num_processes)


def _wait_for_all(port, num_processes, timeout, say):
  """Process 0: connections to all others, in the order of their numbers."""
  try:
    server = socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True,
                                  backlog=1024) if socket.has_dualstack_ipv6() else (
        socket.create_server(("", port), backlog=1024))
  except OSError as error:
    raise errors.UserError(
        f"Process 0 cannot listen at port {port}: {error.strerror}. If another run uses it, "
        "give another port in JAX_COORDINATOR_ADDRESS.") from error
  found, begin, say_at = {}, time.monotonic(), _SAY_AFTER
  with server:
    server.settimeout(1)
    while missing := _missing(found, num_processes):
      waited = time.monotonic() - begin
      if waited > timeout:
        _refuse(found, f"{_numbers(missing)} of {num_processes} did not come within "
                f"{timeout:.0f} s. Start them all, with the same JAX_COORDINATOR_ADDRESS and "
                "each with its own JAX_PROCESS_ID; see their own output.")
      if waited > say_at:
        say(f"waiting for {_numbers(missing)} of {num_processes}, {waited:.0f} s now")
        say_at *= 2
      with contextlib.suppress(TimeoutError):
        _admit(peers_lib.Peer(server.accept()[0]), found, num_processes)
  for peer in found.values():
    peer.tell("go")
  return [found[i] for i in sorted(found)]


def _admit(peer, found, num_processes):
  """Reads who has connected. Anything that says no hello is sent away."""
  peer.connection.settimeout(5)
  words = ((peer.lines() or [""]) or [""])[0].split(" ")
  if len(words) != 4 or words[0] != "hello" or not (words[1] + words[2]).isdigit():
    peer.connection.close()
    return
  peer.index, peer.host = int(words[1]), words[3]
  _forget_the_gone(found)
  if peer.index in found or not 0 < peer.index < num_processes or (
      int(words[2]) != num_processes):
    _refuse({**found, "new": peer}, f"Process {peer.index} of {words[2]} ({peer.host}) has "
            f"come where {num_processes} are expected, each with its own number: see "
            "JAX_NUM_PROCESSES and JAX_PROCESS_ID.")
  peers_lib.keep_open(peer.connection)
  found[peer.index] = peer


def _missing(found, num_processes):
  _forget_the_gone(found)
  return [i for i in range(1, num_processes) if i not in found]


def _forget_the_gone(found):
  """Those that have ended meanwhile, as to be started again, are not there."""
  for peer in [peer for peer in found.values() if not peer.is_there()]:
    del found[peer.index]


def _refuse(found, text):
  for peer in found.values():
    peer.tell(f"refused {text}")
  raise errors.UserError(text)


def _report(host, port, num_processes, index, timeout, say):
  """Another process: its connection to process 0, once that has seen all."""
  begin, say_at, connection = time.monotonic(), _SAY_AFTER, None
  while connection is None:
    try:
      connection = socket.create_connection((host, port), timeout=5)
    except OSError as error:
      waited = time.monotonic() - begin
      if waited > timeout:
        raise errors.UserError(
            f"Process 0 could not be reached at {host}:{port} within {timeout:.0f} s "
            f"({error.strerror or error}). Start it, and see that the port is open and "
            "JAX_COORDINATOR_ADDRESS the same everywhere.") from error
      if waited > say_at:
        say(f"process {index}: waiting for process 0 at {host}:{port}, {waited:.0f} s now")
        say_at *= 2
      time.sleep(0.2)
  peer = peers_lib.Peer(connection, 0, host)
  peer.tell(f"hello {index} {num_processes} {socket.gethostname()}")
  connection.settimeout(timeout + 10)   # process 0 tells when it has waited too long
  answer, *_ = peer.lines() or [""]
  if answer.startswith("refused "):
    raise errors.UserError(answer.removeprefix("refused "))
  if answer != "go":
    raise errors.UserError(f"Process 0 at {host}:{port} has gone before all were there; "
                           "see its own output.")
  peers_lib.keep_open(connection)
  return peer


def _numbers(missing):
  shown = ", ".join(map(str, missing[:20])) + (", …" if len(missing) > 20 else "")
  return f"Process{'es' if len(missing) > 1 else ''} {shown}"
