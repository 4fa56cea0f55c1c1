"""config.json of a workdir: every key of every part that the run is made of."""

import json

from dnajax.shell import errors, files

NAME = "config.json"


def to_text(config):
  """A config's dict as indented JSON."""
  return json.dumps(config, indent=2, default=list)


def write(workdir, config):
  """Writes config.json."""
  files.write_text(files.path(workdir) / NAME, to_text(config) + "\n")


def read(workdir):
  """The dict that `write` wrote.

  Raises:
    UserError: there is no workdir, or no readable config in it.
  """
  path = files.path(workdir) / NAME
  try:
    return json.loads(path.read_text("utf-8"))
  except FileNotFoundError as error:
    raise errors.UserError(
        f"{workdir} is no workdir: it has no {NAME}. Give the directory that was "
        "--workdir of dnajax.main.") from error
  except ValueError as error:
    raise errors.UserError(f"{path} is damaged: {error}.") from error
