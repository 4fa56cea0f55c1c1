"""A tiny encoder with random parameters, and evaluators of it on the tiny data set."""

import functools

import jax
import jax.numpy as jnp
from flax.core import meta

from dnajax.config import build
from dnajax.config import model as model_lib
from dnajax.data import records
from dnajax.evaluators import context as context_lib
from dnajax.shell import parts

LENGTH = 72  # base pairs that are read


@functools.cache
def model(*, k=3, attention="explicit", encoder="transformer", objective="mae"):
  """ModelSpec of width 16."""
  sizes = {"transformer": dict(width=16, depth=2, num_heads=2, mlp_width=32,
                               max_positions=80, attention=attention, dropout=0.0),
           "conv": dict(width=16, depth=2, mlp_width=16)}[encoder]
  decoder = dict(decoder_width=16, decoder_depth=1, decoder_num_heads=2,
                 decoder_mlp_width=32) if objective == "mae" else {}
  return model_lib.from_dict(dict(
      tokens=dict(k=k, stride=k), max_length=LENGTH, encoder=dict(name=encoder, **sizes),
      objective=dict(name=objective, **decoder),
      losses=dict(masked=dict(name="masked_prediction"))))


def params(spec):
  """Random parameters of a model's encoder, the same object at every call."""
  if id(spec) not in _PARAMS:
    tokens = spec.tokenizer(jnp.zeros((1, LENGTH), jnp.uint8))
    init = jax.jit(lambda key: spec.module.init(
        key, tokens.ids, tokens.pad_mask, method="encode"))
    _PARAMS[id(spec)] = meta.unbox(init(jax.random.key(0)))["params"]
  return _PARAMS[id(spec)]


_PARAMS = {}  # by id of the ModelSpec, all of which `model` keeps


def directory(data_dir):
  """Of the tiny data set."""
  return records.find(data_dir, "simulated_barcodes")


def context(data_dir, *, spec=None, **more):
  """Context of a run on the tiny data set."""
  return context_lib.Context(model=spec or model(), data_directory=directory(data_dir),
                             train_split="pretrain", **more)


def part(name, *, evals=None, setup=None, **values):
  """The evaluator of an entry of config.evals, checked."""
  made = build.part("evaluator", {"name": name, **values}, "evals.it")
  build.check(made, setup or parts.Setup(tokenizer=model().tokenizer, evals=evals),
              "evals.it")
  return made


def build_on(data_dir, name, *, spec=None, mesh=None, **values):
  """(runner, parameters) of an entry on the tiny data set."""
  spec = spec or model()
  made = part(name, **values)
  return made.build(context(data_dir, spec=spec, mesh=mesh)), (
      None if made.baseline else params(spec))


def values(runner, parameters):
  """{metric: value} of what a runner yields."""
  found = list(runner.run(parameters))
  assert len({one.name for one in found}) == len(found)
  return {one.name: one.value for one in found}


def run_of(data_dir, name, **more):
  """`values` of an entry on the tiny data set."""
  return values(*build_on(data_dir, name, **more))
