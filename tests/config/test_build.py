"""Parts from tables of values: every key and type is checked, nothing is lost."""

import dataclasses
import json
from typing import Any, Literal

import pytest

from dnajax.config import build, registry
from dnajax.shell import errors, parts


@dataclasses.dataclass(frozen=True)
class Section:
  size: int = 3

  def check(self, setup):
    del setup
    if self.size < 1:
      yield "size", "at least 1"


@dataclasses.dataclass(frozen=True)
class Toy:
  rate: float = 0.5
  steps: tuple[int, ...] = ()
  names: tuple[str, ...] = ()
  kind: Literal["a", "b"] = "a"
  is_on: bool = False
  number: int = 1
  section: Section = Section()
  maybe: Section | None = None
  selection: Any = parts.one("selection", "uniform")
  tables: dict = parts.table("selection")


def test_defaults_are_filled_in_parts_and_sections_too():
  made = build.build(Toy, {})
  assert made.section == Section(3) and made.maybe is None and made.tables == {}
  assert type(made.selection) is registry.of("selection")("uniform")


def test_what_to_dict_writes_is_read_back_through_json():
  made = build.build(Toy, dict(
      rate=1, steps=[1, 2], maybe={}, section=dict(size=9),
      selection=dict(name="gene_mask", reach=7), tables=dict(x=dict(name="global_pmi"))))
  values = json.loads(json.dumps(build.to_dict(made)))
  assert values["selection"]["name"] == "gene_mask" and values["selection"]["reach"] == 7
  assert build.build(Toy, values) == made


@pytest.mark.parametrize("values,message", [
    (dict(rat=0.1), r"no config\.rat; did you mean config\.rate\?"),
    (dict(section=dict(sise=1)), r"config\.section\.sise; did you mean config\.section\.size"),
    (dict(selection=dict(name="gene_maks")), "did you mean 'gene_mask'"),
    (dict(selection=dict(name="gene_mask", raech=3)), r"selection\.reach\?"),
    (dict(rate="much"), r"config\.rate='much' must be a number"),
    (dict(number=1.5), "a whole number"), (dict(number=True), "a whole number"),
    (dict(is_on=1), "True or False"), (dict(kind="c"), "'a' or 'b'"),
    (dict(steps=("x",)), "a whole number"), (dict(section=3), "table of keys"),
    (dict(selection="uniform"), "a table with a name"),
    (dict(tables=dict(x=dict(reach=3))), r"config\.tables\.x"),
])
def test_a_wrong_key_or_type_is_refused_by_name(values, message):
  with pytest.raises(errors.UserError, match=message):
    build.build(Toy, values)


@pytest.mark.parametrize("text,key,value", [
    ("3e-2", "rate", 0.03), ("(1,2)", "steps", (1, 2)), ("1,2", "steps", (1, 2)),
    ("7", "steps", (7,)), ("a,b", "names", ("a", "b")), ("a", "names", ("a",)),
    ("()", "names", ()), ("true", "is_on", True), ("False", "is_on", False),
    ("None", "maybe", None), ("b", "kind", "b")])
def test_a_text_becomes_what_its_key_wants(text, key, value):
  assert getattr(build.build(Toy, {key: text}), key) == value


def test_check_names_the_path_of_what_is_wrong_inside():
  made = build.build(Toy, dict(maybe=dict(size=0)))
  with pytest.raises(errors.UserError, match=r"config\.maybe\.size=0 must be at least 1"):
    build.check(made, parts.Setup())
