"""What transformers' BERT computes, stored."""

import pathlib

import pytest

from dnajax.models import safetensors_files

FIXTURE = pathlib.Path(__file__).parent.parent / "data" / "bert_fixture.safetensors"


@pytest.fixture(scope="session")
def fixture():
  """{"model", "inputs", "hidden"}: {tensor name: array}; see data/make_bert_fixture.py."""
  pytest.importorskip("safetensors")
  groups = {"model": {}, "inputs": {}, "hidden": {}}
  for name, x in safetensors_files.read(FIXTURE).items():
    group, _, rest = name.partition("/")
    groups[group][rest] = x
  return groups
