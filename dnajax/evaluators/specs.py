"""The keys of one entry of config.evals, checked and completed."""

import importlib.util
import types

from dnajax import errors

_OF_EVERY_ENTRY = ("type", "every_steps")


def complete(spec, *, required=(), optional, wanted=None):
  """An entry with all its keys.

  Args:
    spec: the entry, ConfigDict or dict.
    required: keys it must have.
    optional: {key: default}. A value must be of the kind of its default; where
      that is a tuple, a single value stands for a tuple of one.
    wanted: {key: (value -> whether it is right, text "must be …")}, as of `at_least`.

  Returns:
    A namespace with every required and optional key.

  Raises:
    UserError: an unknown or a missing key, or a value that is not right.
  """
  given = dict(spec)
  known = (*required, *optional)
  unknown = [key for key in given if key not in (*_OF_EVERY_ENTRY, *known)]
  if unknown:
    raise errors.UserError(
        f"config.evals.*.{unknown[0]}: an evaluator of type {given.get('type')!r} has "
        f"no such key. It has: {', '.join(known)}.")
  missing = [key for key in required if key not in given]
  if missing:
    raise errors.UserError(
        f"config.evals.*: an evaluator of type {given.get('type')!r} needs the key "
        f"{missing[0]!r}.")
  values = {key: given[key] for key in required}
  for key, default in optional.items():
    values[key] = _of_kind(key, given.get(key, default), default)
  for key, (is_right, want) in (wanted or {}).items():
    check(key, values[key], is_right(values[key]), want)
  return types.SimpleNamespace(**values)


def _of_kind(key, value, default):
  """The value, if it is of the kind of the default (lists come from JSON)."""
  if isinstance(default, tuple):
    value = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    for part in value:
      _of_kind(key, part, default[0])
    if not value:
      raise errors.UserError(f"config.evals.*.{key} is empty. Give one value or more.")
    return value
  kinds = (int, float) if isinstance(default, float) else type(default)
  if not isinstance(value, kinds) or isinstance(value, bool) != isinstance(default, bool):
    raise errors.UserError(
        f"config.evals.*.{key}={value!r} must be of the kind of {default!r}.")
  return value


def at_least(number):
  """An entry of `wanted`: numbers from `number` on."""
  return lambda value: value >= number, f"at least {number}"


def one_of(known):
  """An entry of `wanted`: one of these values."""
  return lambda value: value in known, f"one of {', '.join(map(repr, known))}"


def check(key, value, is_right, want):
  """Raises UserError unless `is_right`; `want` says what the value must be."""
  if not is_right:
    raise errors.UserError(f"config.evals.*.{key}={value!r} must be {want}.")


def check_choice(key, value, known):
  """Raises UserError unless the value is among the known ones."""
  is_right, want = one_of(known)
  check(key, value, is_right(value), want)


def check_library(library, otherwise=""):
  """Raises UserError if a library that only evaluators need is not installed.

  Called when an evaluator is made: at the last step of a run it would be too late.
  """
  if importlib.util.find_spec(library) is None:
    raise errors.UserError(
        f"This evaluation needs {library}, which is not installed: "
        f"pip install 'dnajax[eval]'.{otherwise}")
