"""Libraries that only evaluators need: told when absent, before anything runs."""

import importlib.util

from dnajax.shell import errors


def check(library, otherwise=""):
  """Raises UserError if a library is not installed.

  Called when an evaluator is built: at the last step of a run it would be too late.

  Args:
    library: its name at import.
    otherwise: what to do instead, for the message.
  """
  if importlib.util.find_spec(library) is None:
    raise errors.UserError(
        f"This evaluation needs {library}, which is not installed: "
        f"pip install 'dnajax[eval]'.{otherwise}")
