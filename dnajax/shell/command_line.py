"""Flags of all commands: wrong ones are told in one line."""

import sys

from absl import flags

from dnajax import errors


def parse_flags(argv):
  """Parses flags; for app.run(main, flags_parser=…)."""
  try:
    return flags.FLAGS(argv)
  except (flags.Error, AttributeError, KeyError, TypeError, ValueError, OSError,
          ImportError, SyntaxError) as error:
    lines = str(error).strip().splitlines()
    if type(error) is KeyError:
      text = f"The config file has no variant {error}; its first lines list them."
    elif "Traceback" in str(error):  # ml_collections quotes a whole traceback
      text = f"Cannot read the config file: {lines[-1].strip()}"
    else:
      text = " ".join(lines)
    print(f"error: {text} (--help lists the flags)", file=sys.stderr)
    sys.exit(2)


def read_config(config, flag):
  """The ConfigDict of a config-file flag, with overrides applied.

  Args:
    config: value of the flag.
    flag: its name.

  Raises:
    UserError: the flag was not given, or its file cannot be read.
  """
  try:
    if config is not None:
      config.to_dict()  # a file that could not be read says so when it is used
  except (OSError, ImportError, SyntaxError) as error:
    raise errors.UserError(f"Cannot read --{flag}: {error}") from error
  if config is None:
    raise errors.UserError(f"Give --{flag}=FILE, for example "
                           f"--{flag}=configs/barcodemae.py.")
  return config
