"""Whether the files of a checkpoint are those that were written.

`SHA256SUMS` lies in the folder of a step and has the format of sha256sum:
`cd checkpoints/800 && sha256sum -c SHA256SUMS` checks without dnajax.
"""

import hashlib

from etils import epath

NAME = "SHA256SUMS"

# Written by orbax into the folder of a step after the sums: marks of the commit, without
# values of the run.
_LATER = ("_CHECKPOINT_METADATA", "commit_success.txt", NAME)


def write(folder):
  """Writes the sums of all files below a folder.

  Args:
    folder: of a step that is not committed yet. A commit without sums, or sums without
      a commit, therefore never exist.
  """
  folder = epath.Path(folder)
  lines = [f"{_digest(path)}  {_name(folder, path)}\n" for path in _files(folder)
           if _name(folder, path) not in _LATER]
  (folder / NAME).write_text("".join(lines), "utf-8")


def damage(folder, items):
  """What is wrong with the files of some items.

  Args:
    folder: of a committed step.
    items: names of folders in it, as "params".

  Returns:
    List of texts, each names a file; empty if all is well.
  """
  folder = epath.Path(folder)
  try:
    lines = (folder / NAME).read_text("utf-8").splitlines()
  except FileNotFoundError:
    return [f"{NAME} is missing"]
  except UnicodeDecodeError:
    return [f"{NAME} is damaged"]
  found, is_listed = [], dict.fromkeys(items, False)
  for line in lines:
    digest, gap, name = line.partition("  ")
    item = name.partition("/")[0]
    if not gap or len(digest) != 64:
      return [f"{NAME} is damaged"]
    if item in is_listed:
      is_listed[item] = True
      found += _compared(folder / name, name, digest)
  return found + [f"{NAME} has no files of {item}"
                  for item, is_there in is_listed.items() if not is_there]


def _compared(path, name, digest):
  try:
    return [] if _digest(path) == digest else [f"{name} is not what {NAME} says"]
  except FileNotFoundError:
    return [f"{name} is missing"]
  except OSError as error:
    return [f"{name} cannot be read ({error})"]


def _digest(path):
  with path.open("rb") as file:
    return hashlib.file_digest(file, "sha256").hexdigest()


def _files(folder):
  for path in sorted(folder.iterdir()):
    if path.is_dir():
      yield from _files(path)
    else:
      yield path


def _name(folder, path):
  return path.relative_to(folder).as_posix()
