"""Options of an evaluator: its entry of config.evals, completed and checked."""

import ml_collections

from dnajax import errors

# What dnajax.main and dnajax.evaluate read of every entry.
_SHARED = ("type", "every_steps", "features")


def read(spec, defaults, wanted):
  """Completes an entry of config.evals and checks its values.

  Args:
    spec: ConfigDict, the entry.
    defaults: {key: value} of all options; they also say of what kind a value is.
    wanted: {key: (value -> whether it is right, text "must be …")}.

  Returns:
    ConfigDict with all keys of `defaults`.

  Raises:
    UserError: names an unknown key or a wrong value, and what to write.
  """
  where = f"config.evals.*.{{}} (type={spec.type!r})"
  unknown = sorted(set(spec.keys()) - set(defaults) - set(_SHARED))
  if unknown:
    raise errors.UserError(
        f"{where.format(unknown[0])} is not known. Known: {', '.join(defaults)}.")
  if spec.get("features", "encoder") != "encoder":
    raise errors.UserError(
        f"{where.format('features')} is {spec.features!r}, and looks inside an "
        "encoder. Write features='encoder'.")
  values = {key: spec.get(key, default) for key, default in defaults.items()}
  for key, value in values.items():
    is_right, want = wanted.get(key, (lambda _: True, ""))
    if not _is_of_kind(value, defaults[key]):
      raise errors.UserError(f"{where.format(key)} is {value!r}, and must be like "
                             f"{defaults[key]!r}.")
    if not is_right(value):
      raise errors.UserError(f"{where.format(key)} is {value!r}, and must be {want}.")
  return ml_collections.ConfigDict(values)


def _is_of_kind(value, default):
  if isinstance(default, tuple):
    return isinstance(value, (tuple, list)) and all(
        _is_of_kind(one, default[0]) for one in value)
  if isinstance(value, bool):
    return isinstance(default, bool)
  return isinstance(value, (int, float) if isinstance(default, float) else type(default))


def at_least(number):
  """An entry of `wanted`: numbers from `number` on."""
  return lambda value: value >= number, f"at least {number}"


def one_of(names):
  """An entry of `wanted`: a name of a list."""
  return lambda value: value in names, " or ".join(map(repr, names))
