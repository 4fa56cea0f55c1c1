"""Files that appear complete or not at all."""

import os
import pathlib


def write_atomically(path, make):
  """Calls make(temporary path), then renames it to `path`.

  Args:
    path: of the file, replaced if it exists; its folder has to exist.
    make: writes the whole file under the name it is given; if it fails, `path`
      is as before and nothing is left behind.
  """
  path = pathlib.Path(path)
  part = path.with_name(f".{path.name}.part-{os.getpid()}")
  try:
    make(part)
    part.replace(path)
  finally:
    part.unlink(missing_ok=True)


def write_text(path, text):
  """Text to a file, UTF-8, as `write_atomically`."""
  write_atomically(path, lambda part: part.write_text(text, "utf-8"))
