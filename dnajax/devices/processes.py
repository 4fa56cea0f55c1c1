"""What one process does for all of them."""

import jax
import numpy as np
from jax.experimental import multihost_utils

from dnajax.shell import errors

_NUM_BYTES = 4096  # of a message: arrays of one size cross from process to process


def on_first_process(make):
  """Process 0 calls make(); all go on when it is done. All have to call this.

  Whether there is anything to do is decided in `make`: if every process decided for
  itself, one that already sees the work done would not come to the barrier.

  Args:
    make: () -> anything; its result is thrown away.

  Raises:
    UserError: as process 0, in every process.
    RuntimeError: in the others, if process 0 had another error.
  """
  if jax.process_count() == 1:
    make()
    return
  # Connected now: to connect, the others wait 30 s at most, for a message as long as it takes.
  multihost_utils.broadcast_one_to_all(np.zeros(_NUM_BYTES, np.uint8))
  failed, words = None, b""
  if jax.process_index() == 0:
    try:
      make()
    except Exception as error:  # raised again below, when the others have heard of it
      failed = error
      kind = b"U" if isinstance(error, errors.UserError) else b"E"
      words = kind + str(error).encode()[:_NUM_BYTES - 1]
  sent = np.frombuffer(words.ljust(_NUM_BYTES, b"\0"), np.uint8)
  heard = bytes(multihost_utils.broadcast_one_to_all(sent)).rstrip(b"\0")
  if failed is not None:
    raise failed
  if heard:
    text = heard[1:].decode(errors="ignore")
    if heard[:1] == b"U":
      raise errors.UserError(text)
    raise RuntimeError(f"Process 0 failed: {text}")
