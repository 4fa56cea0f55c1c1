"""The other processes of a run: this one ends when one of them is gone.

JAX itself notices after a minute or more, and aborts with a stack trace of C++. Here the
connections of the roll call stay (`roll_call`): the kernel closes those of a process that
ends, however it ends, at once; those of a machine that is gone after about 40 s.

Messages are lines of words: hello INDEX NUM HOST; go; refused TEXT; gone INDEX HOST;
failed INDEX HOST; bye.
"""

import contextlib
import dataclasses
import os
import selectors
import socket
import sys
import threading

_GRACE = 10  # seconds to end by oneself where another process has met an error


@dataclasses.dataclass
class Peer:
  """Another process, as this one knows it."""
  connection: socket.socket
  index: int = 0
  host: str = ""
  text: str = ""       # received, not yet a whole line
  has_left: bool = False

  def lines(self):
    """Lines that have come; None once the connection is closed."""
    try:
      got = self.connection.recv(4096)
    except OSError:
      got = b""
    if not got:
      return None
    *whole, self.text = (self.text + got.decode(errors="replace")).split("\n")
    return whole

  def is_there(self):
    """Whether the connection is still open; for one that has nothing to say."""
    try:
      return bool(self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except BlockingIOError:
      return True
    except OSError:
      return False

  def tell(self, line):
    """Sends a line, if anybody listens."""
    with contextlib.suppress(OSError):
      self.connection.sendall(f"{line}\n".encode())


class Peers:
  """The connections of this process: of process 0 to all others, of those to process 0."""

  def __init__(self, peers, index, num_processes):
    """peers: list of Peer."""
    self._peers, self._index, self._num = peers, index, num_processes
    self._is_over, self._thread = threading.Event(), None

  def watch(self, end):
    """From now on, ends this process when another one has gone.

    Args:
      end: called in a thread with a line that says who is gone, and whether that process
        had said before that something is wrong with it; must end this process.
    """
    self._thread = threading.Thread(target=self._watch, args=(end,), daemon=True)
    self._thread.start()

  def leave(self, *, has_failed):
    """Tells the others that this process ends, and stops watching them.

    If it has failed, process 0 waits until the others have heard of it and ended: it holds
    JAX's coordinator, without which they would abort.
    """
    word = f"failed {self._index} {socket.gethostname()}" if has_failed else "bye"
    self._is_over.set()
    for peer in self._peers:
      peer.tell(word)
    if has_failed and self._index == 0 and self._thread is not None:
      self._thread.join(_GRACE + 5)

  def wait_for_news(self, seconds=5):
    """Returns after some seconds, if `watch` has not ended this process until then."""
    self._is_over.wait(seconds)

  def _watch(self, end):
    with selectors.DefaultSelector() as selector:
      for peer in self._peers:
        selector.register(peer.connection, selectors.EVENT_READ, peer)
      while selector.get_map():
        for key, _ in selector.select():
          peer = key.data
          lines = peer.lines()
          for line in lines or ():
            self._hear(line, peer, end)
          if lines is None:
            selector.unregister(peer.connection)
            if not (peer.has_left or self._is_over.is_set()):
              self._pass_on(f"gone {peer.index} {peer.host}")
              end(self._words(peer.index, peer.host, "has gone"), False)

  def _hear(self, line, peer, end):
    word, *about = line.split(" ")
    if word == "bye":
      peer.has_left = True
    elif word in ("gone", "failed") and len(about) == 2:
      peer.has_left = peer.has_left or about[0] == str(peer.index)
      self._pass_on(line)
      if word == "failed":    # whoever meets the same error says so itself
        threading.Thread(target=self._end_later, args=(about, end), daemon=True).start()
      elif not self._is_over.is_set():
        end(self._words(*about, "has gone"), False)

  def _end_later(self, about, end):
    if not self._is_over.wait(_GRACE):
      end(self._words(*about, "has stopped with an error, which it says itself"), True)

  def _pass_on(self, line):
    if self._index == 0:
      for peer in self._peers:
        peer.tell(line)

  def _words(self, index, host, what):
    return f"Process {index} of {self._num} ({host}) {what}"


def keep_open(connection):
  """No time limit; a machine that is gone is noticed after about 40 s."""
  connection.settimeout(None)
  connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
  for name, value in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 5)):
    if hasattr(socket, name):
      connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def end_at_once(text, code):
  """Ends this process without waiting for anything that other processes would have to do."""
  print(text, file=sys.stderr, flush=True)
  sys.stdout.flush()
  os._exit(code)
