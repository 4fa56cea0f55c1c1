"""Libraries that only some evaluators need."""

import importlib.util

from dnajax import errors


def check(library):
  """Says how to install a library that is absent.

  Args:
    library: the name it is imported by.

  Raises:
    UserError: it is not installed.
  """
  if importlib.util.find_spec(library) is None:
    raise errors.UserError(
        f"This evaluation needs {library}, which is not installed: "
        "pip install 'dnajax[eval]'.")
