"""The one exception whose message is written for the person at the keyboard."""

import functools
import os
import sys


class UserError(Exception):
  """A wrong file, flag or config: says what is wrong, where, and what to do."""


def exit_cleanly(main):
  """Wraps a command's `main`: a UserError becomes one message and exit code 2."""

  @functools.wraps(main)
  def wrapped(*args, **kwargs):
    try:
      return main(*args, **kwargs)
    except UserError as error:
      print(f"error: {error}", file=sys.stderr)
      sys.exit(2)
    except BrokenPipeError:  # the reader, as `| head`, has seen enough
      os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
      sys.exit(0)
    except KeyboardInterrupt:
      print("interrupted", file=sys.stderr)
      sys.exit(130)

  return wrapped
