"""Every key of a config as the command line would give it, with its meaning."""

import dataclasses
import functools
import inspect
import re

from dnajax.config import registry


def listing(experiment):
  """One line per key: --config.a.b=value, and the comment beside it in its class.

  Args:
    experiment: experiment.Experiment.
  """
  lines = list(_lines(experiment, "--config"))
  width = min(60, max(len(text) for text, _ in lines))
  return "\n".join(f"{text:<{width}}  {meaning}".rstrip() for text, meaning in lines)


def _lines(instance, where):
  meanings = _meanings(type(instance))
  for field in dataclasses.fields(instance):
    value, path = getattr(instance, field.name), f"{where}.{field.name}"
    if "table" in field.metadata:
      for name, one in value.items():
        yield from _part(field.metadata["table"], one, f"{path}.{name}")
    elif "part" in field.metadata:
      yield from _part(field.metadata["part"], value, path)
    elif dataclasses.is_dataclass(value):
      yield from _lines(value, path)
    else:
      text = ",".join(map(str, value)) if isinstance(value, tuple) and value else value
      yield f"{path}={text}", meanings.get(field.name, "")


def _part(kind, instance, where):
  cls = type(instance)
  first, _, _ = (inspect.getdoc(cls) or "").partition("\n")
  yield f"{where}.name={registry.of(kind).name_of(cls)}", f"# {first}"
  yield from _lines(instance, where)


@functools.cache
def _meanings(cls):
  """{key: the comment on its line}, of a class and those it is derived from."""
  found = {}
  for one in reversed(cls.__mro__[:-1]):
    found |= {match[1]: f"# {match[2]}" for match in re.finditer(
        r"^  (\w+): [^\n#]*#\s*(.+)$", inspect.getsource(one), re.M)}
  return found
