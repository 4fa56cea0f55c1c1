"""Flags of all commands: wrong ones are told in one line."""

import os
import sys

from absl import flags

from dnajax.shell import errors, failures

MESH_HELP = ("Devices for each axis, as fsdp=4,tensor=2 for a model too large for one device; -1: "
             "all that remain. Default: rows are spread over the devices, each of which has all "
             "parameters.")

_overrides = {}  # flag of a config file -> [("a.b", text)], as given


def parse_flags(argv):
  """Parses flags; for app.run(main, flags_parser=…).

  What changes one value of a config (--config.a.b=text) is kept for `read_config`: a key
  may belong to a part that is named on the same command line.
  """
  config_flags = [name for name in flags.FLAGS
                  if hasattr(type(flags.FLAGS[name]), "override_values")]  # of ml_collections
  argv = _take_overrides(list(argv), config_flags)
  for item in argv:  # a config may import its neighbour configs/shared.py
    flag, _, value = item.lstrip("-").partition("=")
    if flag in config_flags and value:
      sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(value))))
  sys.argv[1:] = argv[1:]  # where ml_collections would look for them
  try:
    return flags.FLAGS(argv)
  except (flags.Error, AttributeError, KeyError, TypeError, ValueError, OSError,
          ImportError, SyntaxError) as error:
    print(f"error: {failures.one_line(_explain(error, argv))} (--help lists the flags)",
          file=sys.stderr)
    sys.exit(2)


def _explain(error, argv):
  """What is wrong with the flags, or with a config file."""
  lines = str(error).strip().splitlines()
  if type(error) is KeyError and any(item.endswith(f":{error.args[0]}") for item in argv):
    return f"The config file has no variant {error}; its first lines list them."
  if "Traceback" in str(error):  # ml_collections quotes a whole traceback
    return f"Cannot read the config file: {lines[-1].strip()}"
  if isinstance(error, flags.Error | OSError):
    return " ".join(lines)
  return f"Cannot read the config file: {type(error).__name__}: {' '.join(lines)}"


def _take_overrides(argv, config_flags):
  _overrides.clear()
  _overrides.update({flag: [] for flag in config_flags})
  rest, items = [], iter(argv)
  for item in items:
    flag = next((flag for flag in config_flags
                 if item.lstrip("-").startswith(f"{flag}.") and item.startswith("-")), None)
    if flag is None:
      rest.append(item)
      continue
    path, has_value, text = item.lstrip("-").removeprefix(f"{flag}.").partition("=")
    if not has_value:
      text = next(items, None)
      if text is None:
        print(f"error: {item} has no value; write {item}=VALUE.", file=sys.stderr)
        sys.exit(2)
    _overrides[flag].append((path, text))
  return rest


def read_config(config, flag):
  """The values of a config-file flag, and what the command line says about them.

  Args:
    config: value of the flag.
    flag: its name.

  Returns:
    (nested dict, list of ("a.b", text)); `config.overrides.apply` joins them.

  Raises:
    UserError: the flag was not given, or its file cannot be read.
  """
  try:
    if config is not None:
      return config.to_dict(), _overrides.get(flag, [])
  except (OSError, ImportError, SyntaxError) as error:
    # A file that could not be read says so when it is used.
    raise errors.UserError(f"Cannot read --{flag}: {error}") from error
  raise errors.UserError(f"Give --{flag}=FILE, for example "
                         f"--{flag}=configs/barcodemae.py.")


def mesh(texts):
  """--mesh as {axis: devices}, for `inference.encode.local_mesh`; None if it was not given."""
  sizes = {}
  for text in texts:
    axis, _, size = text.partition("=")
    try:
      sizes[axis.strip()] = int(size)
    except ValueError:
      raise errors.UserError(f"--mesh={text}: write AXIS=DEVICES, for example "
                             "--mesh=fsdp=4,tensor=2.") from None
  return sizes or None
