"""Files that are written under another name and appear when they are complete."""

import contextlib
import os
import pathlib
import tempfile

from etils import epath

from dnajax.shell import errors, files, locks


@contextlib.contextmanager
def open_parts(targets):
  """Temporary names for some files that belong together.

  Args:
    targets: paths, the most important first; it appears last.

  Yields:
    Paths to write to. They become the targets when the context ends without an exception;
    otherwise they go. A process that was killed leaves them: the next one that writes
    the same targets writes over them.

  Raises:
    UserError: another process of this machine is writing the same targets.
  """
  with _folder(targets[0]) as folder, contextlib.ExitStack() as stack:
    parts = [folder / f".{target.name}.part" for target in targets]
    # Before anything is touched: the parts of another process stay.
    locks = [stack.enter_context(_locked(part, target))
             for part, target in zip(parts, targets, strict=True)]
    _remove_left_over(parts)
    try:
      with files.named(targets[0]):
        yield parts
        for part, lock, target in zip(
            reversed(parts), reversed(locks), reversed(targets), strict=True):
          os.fsync(lock)
          if files.is_remote(target):
            epath.Path(part).copy(target, overwrite=True)
          else:
            part.replace(target)
    finally:
      for part in parts:
        part.unlink(missing_ok=True)
      _remove_left_over(parts)


@contextlib.contextmanager
def _locked(part, target):
  """An open file that no other process has locked; a killed one's lock is gone with it."""
  descriptor = os.open(part, os.O_RDWR | os.O_CREAT, 0o666)
  try:
    if locks.take(descriptor) is False:
      raise errors.UserError(f"Another process is writing {target}. Wait for it, or choose "
                             "another --output.")
    yield descriptor
  finally:
    os.close(descriptor)


def _remove_left_over(parts):
  """What a writer that was killed, or that failed, kept beside its parts."""
  for part in parts:
    for path in part.parent.glob(f"{_literal(part.name)}.*"):
      path.unlink(missing_ok=True)


def _literal(name):
  return "".join(f"[{c}]" if c in "*?[" else c for c in name)


@contextlib.contextmanager
def _folder(target):
  """Where the temporary files lie: beside the target, or for a store on this machine."""
  if files.is_remote(target):
    with tempfile.TemporaryDirectory() as folder:
      yield pathlib.Path(folder)
  else:
    target.parent.mkdir(parents=True, exist_ok=True)
    yield pathlib.Path(target.parent)
