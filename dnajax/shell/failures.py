"""What an operating system, a store or a device refuses, in one line with file and remedy.

The one place where that is decided, for all commands (`errors.exit_cleanly`). Anything
that is not listed here is a mistake of the program and keeps its traceback.
"""

import errno
import os
import re

from dnajax.shell import cells

_RESUME = "What was complete is untouched; the same command goes on from there."
_FULL = f"Make room there, or use another place, and start again. {_RESUME}"
_READ_ONLY = "Use a place that may be written, or change its permissions."
_GONE = f"See that the disk or store is still there and mounted, and start again. {_RESUME}"
_ABSENT = "See that the name is right and that nobody has moved it meanwhile."
_REMEDIES = {
    errno.ENOSPC: _FULL, errno.EDQUOT: _FULL,
    errno.EFBIG: f"Raise the limit (ulimit -f). {_RESUME}",
    errno.EROFS: _READ_ONLY, errno.EACCES: _READ_ONLY, errno.EPERM: _READ_ONLY,
    errno.ENOENT: _ABSENT, errno.ENOTDIR: _ABSENT, errno.EISDIR: _ABSENT,
    errno.EMFILE: "Raise the number of open files (ulimit -n).",
    errno.ENAMETOOLONG: "Use a shorter name.",
    errno.ENOMEM: "Use less memory, for example a smaller batch."}

_MEMORY = ("Lower config.batch_size, raise config.accumulate_steps, set "
           "config.encoder.remat, or use more devices (--dry_run tells what is needed).")

# As tensorstore writes, which reads and writes the arrays of checkpoints.
_TENSORSTORE = re.compile(r"\[os_error_code='(?P<code>\d+)'\]")
# The same without a number of the operating system: a status, then the place last.
_STATUS = re.compile(r"""(?P<status>NOT_FOUND|PERMISSION_DENIED|UNAVAILABLE|DATA_LOSS|ABORTED|
    FAILED_PRECONDITION|DEADLINE_EXCEEDED|UNAUTHENTICATED):\ .*"(?P<file>[^"]*[/\\][^"]*)\"""",
    re.DOTALL | re.VERBOSE)
# Exceptions of packages for stores and networks that are no OSErrors, by class name.
_STORE_ERRORS = ("HttpError", "ClientError", "NoCredentialsError", "RefreshError",
                 "DefaultCredentialsError", "ClientConnectorError", "EndpointConnectionError",
                 "TransportError", "ServerTimeoutError")


def explain(error):
  """What an exception says to the person at the keyboard.

  Args:
    error: exception; those that it was raised from, or that it is a group of, count too.

  Returns:
    One line, or None if it is nobody's fault but the program's.
  """
  return next(filter(None, map(_one, _with_causes(error))), None)


def _with_causes(error):
  while error is not None:
    yield error
    for one in getattr(error, "exceptions", ()):
      yield from _with_causes(one)
    error = error.__cause__


def _one(error):
  if isinstance(error, OSError) and error.errno is not None:
    return _refused(error.filename, error.errno, error.strerror)
  text, name = str(error), type(error).__name__
  if found := _TENSORSTORE.search(text):
    return _refused(_place(text[:found.start()]), int(found["code"]), None)
  if type(error) is ValueError and (found := _STATUS.match(text)):
    words = found["status"].replace("_", " ").lower()
    return f"{one_line(found['file'])}: {words}. {_GONE}"
  if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in text:
    return f"Not enough memory: {one_line(text) or name}. {_MEMORY}"
  if name in _STORE_ERRORS:
    return f"The store refused: {name}: {one_line(text)}. {_GONE}"
  return None


def _place(text):
  """The first quoted file of a text; what stands before it may be the key of an array."""
  names = re.findall(r'"([^"]+)"', text)
  return next((name for name in names if os.path.isabs(name) or "://" in name),
              names[0] if names else None)


def _refused(file, number, words):
  what = f"{os.fsdecode(file)}: " if isinstance(file, str | bytes | os.PathLike) else ""
  return (f"{one_line(what)}{' ' if what else ''}{words or os.strerror(number)} "
          f"({errno.errorcode.get(number, number)}). {_REMEDIES.get(number, _GONE)}")


def one_line(text, most=300):
  """A text without line breaks and other characters that a terminal acts on, cut to `most`."""
  text = cells.printable(re.sub(r"\s*\n\s*", " ", text.strip()))
  return text if len(text) <= most else text[:most] + "…"
