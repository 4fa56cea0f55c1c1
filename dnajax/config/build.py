"""Tables of values <-> parts: every key and every type is checked, in one place."""

import ast
import dataclasses
import difflib
import functools
import sys
import types
import typing

from dnajax.config import registry
from dnajax.shell import errors, parts


def build(cls, values, where=""):
  """A part, or a section of the config, from a table of values.

  Args:
    cls: frozen dataclass; its fields say which keys there are and of which type. A field
      of `parts.one` takes a table with "name"; one of `parts.table` a table of those.
    values: {key: value}; what is absent has its default.
    where: path of the table below `config`, for messages.

  Returns:
    An instance of `cls`.

  Raises:
    UserError: names the key that is unknown (and the nearest right one), missing, or
      has a value of another type.
  """
  fields = {field.name: field for field in dataclasses.fields(cls)}
  for key in values:
    if key not in fields:
      near = difflib.get_close_matches(key, fields, 1, 0.5)
      raise errors.UserError(
          f"There is no config.{_join(where, key)}"
          + (f"; did you mean config.{_join(where, near[0])}?" if near else ".")
          + f" It has: {', '.join(fields) or 'no keys'}.")
  made = {}
  for key, field in fields.items():
    path = _join(where, key)
    if key in values:
      made[key] = _value(field, _types(cls)[key], values[key], path)
    elif isinstance(field.default, parts.Default):
      made[key] = part(field.metadata["part"], {"name": field.default.name}, path)
    elif _is_required(field):
      raise errors.UserError(f"config.{path} is missing.")
    elif section(_types(cls)[key]) and not _is_optional(_types(cls)[key]):
      made[key] = build(section(_types(cls)[key]), {}, path)
  return cls(**made)


def part(kind, values, where):
  """The part of one kind that a table of values names.

  Args:
    kind: of a registry.
    values: has "name", and keys of that part.
    where: path of the table below `config`.
  """
  if not hasattr(values, "items") or "name" not in values:
    raise errors.UserError(
        f"config.{where}={values!r} must be a table with a name, for example "
        f"dict(name={registry.of(kind).names[0]!r}).")
  values = dict(values)
  cls = registry.of(kind)(values.pop("name"), where)
  return build(cls, values, where)


def to_dict(instance):
  """The table of values that `build` makes the instance of; parts with their names."""
  out = {}
  for field in dataclasses.fields(instance):
    value = getattr(instance, field.name)
    if "part" in field.metadata:
      out[field.name] = named(field.metadata["part"], value)
    elif "table" in field.metadata:
      out[field.name] = {name: named(field.metadata["table"], one)
                         for name, one in value.items()}
    elif dataclasses.is_dataclass(value):
      out[field.name] = to_dict(value)
    else:
      out[field.name] = value
  return out


def named(kind, instance):
  """`to_dict` of a part, with its name first."""
  return {"name": registry.of(kind).name_of(type(instance)), **to_dict(instance)}


def check(instance, setup, where=""):
  """Asks a part and all parts in it what is wrong with their values.

  Raises:
    UserError: names the first wrong key, its value and what it must be.
  """
  if hasattr(instance, "check"):
    for key, must_be in instance.check(setup):
      value = getattr(instance, key)
      if isinstance(value, tuple) or not dataclasses.is_dataclass(value):
        raise errors.UserError(
            f"config.{_join(where, key)}={value!r} must be {must_be}.")
      raise errors.UserError(f"config.{_join(where, key)} must be {must_be}.")
  for field in dataclasses.fields(instance):
    value = getattr(instance, field.name)
    inside = value.items() if "table" in field.metadata else [("", value)]
    for name, one in inside:
      if dataclasses.is_dataclass(one):
        check(one, setup, _join(_join(where, field.name), name))


def _value(field, kind, value, where):
  if "part" in field.metadata:
    if isinstance(field.default, parts.Default) and hasattr(value, "items"):
      value = {"name": field.default.name, **value}
    return part(field.metadata["part"], value, where)
  if "table" in field.metadata:
    if value in (None, "None"):
      return {}                                              # all taken out
    if not hasattr(value, "items"):
      raise errors.UserError(
          f"config.{where}={value!r} must be a table of named entries; None takes all of "
          f"them out, config.{where}.NAME=None one.")
    return {name: part(field.metadata["table"], one, _join(where, name))
            for name, one in value.items() if one not in (None, "None")}  # taken out
  cls = section(kind)
  if cls:
    if value in (None, "None") and _is_optional(kind):
      return None
    if not hasattr(value, "items"):
      raise errors.UserError(f"config.{where}={value!r} must be a table of keys.")
    return build(cls, value, where)
  return convert(kind, value, where)


def convert(kind, value, where):
  """A value as the type of its field wants it.

  Whole numbers may stand for floats, a list or a single value for a tuple.

  Raises:
    UserError: the value is of another type.
  """
  origin, arguments = typing.get_origin(kind), typing.get_args(kind)
  if isinstance(value, str):  # as on the command line, where everything is a text
    value = _of_text(kind, value)
  if origin is tuple:
    items = value if isinstance(value, list | tuple) else (value,)
    return tuple(convert(arguments[0], item, where) for item in items)
  if origin is dict:
    if not hasattr(value, "items"):
      raise errors.UserError(f"config.{where}={value!r} must be a table.")
    return {key: convert(arguments[1], one, f"{where}.{key}")
            for key, one in value.items()}
  if origin is typing.Literal:
    if value in arguments and not isinstance(value, bool):
      return value
    raise errors.UserError(f"config.{where}={value!r} must be {parts.one_of(arguments)}.")
  is_bool = isinstance(value, bool)
  if kind is float and isinstance(value, int | float) and not is_bool and (
      abs(value) <= sys.float_info.max):  # NaN is not, either
    return float(value)
  if kind is int and isinstance(value, float) and value.is_integer():
    return int(value)
  if kind is not float and isinstance(value, kind) and is_bool == (kind is bool):
    return value
  raise errors.UserError(
      f"config.{where}={value!r} must be {_WORDS.get(kind, kind.__name__)}.")


_WORDS = {int: "a whole number", float: "a number", bool: "True or False", str: "a text"}


def _of_text(kind, text):
  """The value that a text stands for; the text itself where it stands for none."""
  if kind is str or typing.get_origin(kind) is typing.Literal and text in typing.get_args(kind):
    return text
  if typing.get_origin(kind) is tuple and typing.get_args(kind)[0] is str:
    return tuple(part.strip(" '\"") for part in text.strip("()[]").split(",") if part.strip())
  try:
    return ast.literal_eval({"true": "True", "false": "False"}.get(text, text))
  except (ValueError, SyntaxError):
    return text


@functools.cache
def _types(cls):
  return typing.get_type_hints(cls)


def section(kind):
  """The dataclass of a field that is a section of its own, optional or not."""
  options = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
  return next((one for one in options if dataclasses.is_dataclass(one)), None)


def _is_optional(kind):
  return type(None) in typing.get_args(kind)


def _is_required(field):
  return (field.default is dataclasses.MISSING
          and field.default_factory is dataclasses.MISSING)


def _join(where, key):
  return f"{where}.{key}" if where and key else where or key
