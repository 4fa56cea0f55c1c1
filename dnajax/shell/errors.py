"""The one exception whose message is written for the person at the keyboard."""

import functools
import os
import sys
import traceback

from dnajax.shell import failures


class UserError(Exception):
  """A wrong file, flag or config: says what is wrong, where, and what to do."""


def exit_cleanly(main):
  """Wraps a command's `main`: what is not the program's fault is told in a line, see `tell`."""

  @functools.wraps(main)
  def wrapped(*args, **kwargs):
    try:
      return main(*args, **kwargs)
    except BrokenPipeError as error:
      if error.filename is not None:
        sys.exit(tell(error))
      # the reader, as `| head`, has seen enough
      os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
      sys.exit(0)
    except (Exception, KeyboardInterrupt) as error:
      sys.exit(tell(error))

  return wrapped


def tell(error):
  """Says on stderr what ended a command.

  Args:
    error: exception; a UserError, and what a system, a store or a device refuses
      (`failures.explain`), is told without traceback.

  Returns:
    The exit code: 2; 130 for Ctrl-C, 1 for a mistake of the program.
  """
  if isinstance(error, KeyboardInterrupt):
    text, code = "interrupted", 130
  elif isinstance(error, UserError):
    text, code = f"error: {failures.one_line(str(error), 3_000)}", 2
  elif (found := failures.explain(error)) is not None:
    text, code = f"error: {found}", 2
  else:
    text, code = "".join(traceback.format_exception(error)).rstrip(), 1
  print(text, file=sys.stderr, flush=True)
  return code
