"""A toy of every kind of part, added from here: trained, evaluated, reported, used.

Each is what somebody writes who adds one: its class, and a line in the registry (here
`entries`; in the project `dnajax/config/registry.py`). Nothing else is touched.
"""

import dataclasses
import json

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import pytest
import tiny
from flax.core import FrozenDict

from dnajax.config import registry
from dnajax.evaluators import base
from dnajax.inference import writers
from dnajax.masking import corrupt, selection
from dnajax.models import label_heads, layers
from dnajax.results import measure, report
from dnajax.shell import errors, metric
from dnajax.training import run
from dnajax.training.losses import base as base_losses


@dataclasses.dataclass(frozen=True)
class EveryNth(selection.Selection):
  """Every n-th token of a row, from a random one on."""
  n: int = 2               # tokens from one to the next
  ratio: float = 0.5       # not used
  probability: float = 0.5  # not used

  def __call__(self, key, tokens, is_maskable, *, ranks, rate, step):
    return is_maskable & (jnp.arange(tokens.shape[1]) % self.n == 0)


@dataclasses.dataclass(frozen=True)
class Forget(corrupt.Replace):
  """[MASK] for the selected tokens, and for a token before each of them."""
  reach: int = 1   # tokens before

  def __call__(self, key, tokens, is_selected, **sizes):
    masked, counts = super().__call__(key, tokens, is_selected, **sizes)
    before = jnp.roll(is_selected, -self.reach, axis=1) & tokens.pad_mask
    ids = jnp.where(before, sizes["vocabulary"].mask_id, masked.encoder_ids)
    return masked.replace(encoder_ids=ids), counts


@dataclasses.dataclass(frozen=True)
class Means:
  """An encoder without positions: a word vector and what a linear map makes of it."""
  width: int = 8
  dropout: float = 0.0
  dtype: str = "float32"
  sees_gaps, can_be_causal, has_attention, free = True, True, False, ()

  def module(self, vocab_size, *, is_causal=False):
    return MeansModule(self.width, vocab_size)

  def flops_per_token(self, num_tokens):
    return 2.0 * self.width**2


class MeansModule(nn.Module):
  width: int
  vocab_size: int

  @nn.compact
  def __call__(self, ids, is_attended, *, positions=None, is_hidden=None, deterministic=True):
    table = self.param("word", layers.kernel("words", "embed"), (self.vocab_size, self.width))
    x = layers.dense(self.width, ("embed", None), dtype="float32", name="map")(table[ids])
    return x if is_hidden is None else jnp.where(is_hidden[..., None], 0, x)


@dataclasses.dataclass(frozen=True)
class Squared(base_losses.Loss):
  """Squared distance of a head's output to one-hot labels; -1 is no label."""
  column: str = "genus"   # of the data set

  predicts = "labels"

  @property
  def labels(self):
    return (self.column,)

  def module(self, num_labels):
    return label_heads.LabelHeads(
        FrozenDict({self.column: num_labels[self.column]}), dropout=0.0)

  def count(self, inputs):
    return (inputs.labels[self.column] >= 0).sum()

  def sums(self, outputs, inputs, name, *, is_training):
    ids = inputs.labels[self.column]
    logits = outputs.labels[name][self.column]
    apart = jnp.square(logits - (ids[:, None] == jnp.arange(logits.shape[1]))).sum(axis=1)
    return {"loss": jnp.sum(apart, where=ids >= 0),
            "weight": (ids >= 0).sum().astype(jnp.float32)}

  def metrics(self, sums):
    return [metric.Metric("loss", sums["loss"] / max(sums["weight"], 1))]


@dataclasses.dataclass(frozen=True)
class CountRecords(base.Evaluator):
  """Says how many records a split has, under a name that no report has heard of."""
  split: str = "unseen"

  @property
  def task(self):
    return f"records of {self.split}"

  def build(self, context):
    return _Count(context.split(self.split).num_records)


class _Count:
  protocol = "counted"

  def __init__(self, number):
    self._number = number

  def run(self, params):
    yield metric.Metric("zebras", self._number, "count")
    yield metric.Metric("stripes", 0.25, "share")
    yield metric.Metric("secret", 1.0, is_shown=False)


@pytest.fixture
def toys(monkeypatch):
  for kind, name, cls in (("selection", "every_nth", "EveryNth"),
                          ("corruption", "forget", "Forget"), ("encoder", "means", "Means"),
                          ("loss", "squared", "Squared"),
                          ("evaluator", "count_records", "CountRecords")):
    monkeypatch.setitem(registry.of(kind).entries, name, f"test_plugins:{cls}")


TOYS = dict(
    masking__selection__name="every_nth", masking__selection__n=3,
    masking__corruption__name="forget", masking__corruption__reach=2,
    objective__name="masked_lm", encoder__name="means", encoder__width=8,
    losses__genus__name="squared", losses__genus__column="family",
    evals__zoo__name="count_records", evals__zoo__split="unseen",
    evals__zoo__every_steps=4, optimizer__no_decay="bias")


def test_toys_of_every_kind_train_are_evaluated_and_reported(toys, tiny_config, tmp_path):
  assert run.run(tiny_config(**TOYS), tmp_path) == (8, 8)
  config = json.loads((tmp_path / "config.json").read_text())
  assert config["masking"]["selection"]["n"] == 3
  names = {name for _, name, _ in tiny.recorded(tmp_path)}
  assert {"zoo/zebras", "zoo/stripes", "zoo/secret"} <= names
  assert any(name.startswith("train/") and "genus" in name for name in names)

  found = measure.evaluate(tmp_path, evals=["zoo", "knn_genus"], say=lambda text: None)
  report.write_evaluated(tmp_path, [(tmp_path, found)], say=lambda text: None)
  text = (tmp_path / "report" / "report.md").read_text()
  assert "records of unseen" in text and "zebras" in text and "25.0 %" in text
  assert "secret" not in text


def test_a_toy_is_checked_like_any_part(toys, tiny_config, tmp_path):
  with pytest.raises(errors.UserError, match="did you mean config.masking.selection.n"):
    run.run(tiny_config(**TOYS | {"masking__selection__nn": 3}), tmp_path)


def test_a_format_of_embeddings_is_one_class_and_one_line(monkeypatch, tmp_path):
  class Words(writers.Tsv):
    """A row a line, numbers without a tab."""

  monkeypatch.setitem(writers.WRITERS, ".words", Words)
  with writers.open_writer(tmp_path / "a.words", 2) as writer:
    writer.write(["x"], np.zeros((1, 2), np.float32))
  assert (tmp_path / "a.words").read_text().startswith("id")
