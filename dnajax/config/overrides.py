"""--config.a.b=text on the command line -> values of a config, in two passes."""

import dataclasses
import typing

from dnajax.config import build, experiment, registry


def apply(values, overrides):
  """The values of a config file with those of the command line.

  First the names of parts, the outer ones first: of the part that was named before, the
  keys that the new one has too keep their values. Then everything else, so that keys of
  a part may be given together with its name. An entry of a table that is None is taken out.

  Args:
    values: nested dict; not changed.
    overrides: list of ("a.b", text).

  Returns:
    Nested dict, for `experiment.read`.
  """
  values = _copy(values)
  plain = []
  for path, text in sorted(overrides, key=lambda item: item[0].count(".")):
    keys = path.split(".")
    kind = _kind_at(keys[:-1], values) if keys[-1] == "name" else None
    if kind is None:
      plain.append((keys, text))
      continue
    table = _table_at(values, keys[:-1])
    cls = registry.of(kind)(text, ".".join(keys[:-1]))
    known = {field.name for field in dataclasses.fields(cls)}
    for key in [key for key in table if key not in known]:
      del table[key]
    table["name"] = text
  for keys, text in plain:
    _table_at(values, keys[:-1])[keys[-1]] = text
  return values


def _kind_at(keys, values):
  """The kind of part that stands at a path; None for a section or a plain value."""
  cls, kind = experiment.Experiment, None
  while keys:
    field = next((field for field in dataclasses.fields(cls) if field.name == keys[0]), None)
    if field is None:
      return None
    is_table = "table" in field.metadata
    kind = field.metadata.get("table") or field.metadata.get("part")
    steps, keys = keys[:1 + is_table], keys[1 + is_table:]
    if len(steps) < 1 + is_table:
      return None              # the table itself, not an entry of it
    for step in steps:
      values = values.get(step) if isinstance(values, dict) else None
    if kind is None:
      cls = build.section(typing.get_type_hints(cls)[field.name])
    else:
      name = (values or {}).get("name", getattr(field.default, "name", None))
      cls = registry.of(kind)(name) if name in registry.of(kind).entries else None
    if cls is None and keys:
      return None
  return kind


def _table_at(values, keys):
  for key in keys:
    if not isinstance(values.get(key), dict):
      values[key] = {}
    values = values[key]
  return values


def _copy(values):
  return {key: _copy(value) if isinstance(value, dict) else value
          for key, value in values.items()}
