"""Benchmarks run on every kind of config; what they measure is not asserted."""

import pytest
import tiny

from dnajax.bench import embed as bench_embed
from dnajax.bench import input as bench_input
from dnajax.bench import timing, train


@pytest.fixture(autouse=True)
def small_products(monkeypatch):
  plain = timing.matmul
  monkeypatch.setattr(timing, "matmul", lambda *shape, repeats: plain(
      *(min(size, 8) for size in shape[:3]), shape[3], repeats=1))


def test_a_pretraining_step_is_timed_beside_the_step_with_replace(tiny_data):
  figures = train.measure(tiny.values("barcodemae", tiny_data, has_evals=False), rounds=1)
  assert figures["drop: encoder slots"] == 16 and figures["replace: encoder slots"] == 24
  assert figures["  of the model FLOPs"] < 1 and figures["step drop / step replace"] > 0


def test_a_fine_tuning_step_is_timed_by_itself(tiny_data):
  figures = train.measure(tiny.values("finetune", tiny_data, has_evals=False,
                                      checkpoint__best=""), rounds=1)
  assert figures["step seconds"] > 0 and figures["encoder slots"] == 25


def test_the_input_of_a_split_that_the_seed_names_is_read(tiny_data, monkeypatch):
  monkeypatch.setattr(bench_input, "_NUM_BATCHES", 3)
  monkeypatch.setattr(bench_input, "_NUM_REFERENCE", 32)
  # The seed, shortened to nothing: this data set has no split train_0.
  values = tiny.values("finetune", tiny_data, has_evals=False, checkpoint__best="",
                       data__split="{seed!s:.0}train")
  assert bench_input.measure(values, rounds=1)["records/s as device batches"] > 0


def test_embedding_is_timed_beside_one_at_a_time(tiny_data, monkeypatch):
  monkeypatch.setattr(bench_embed, "_FLOPS", 1)
  monkeypatch.setattr(bench_embed, "_SHORT", 30)
  monkeypatch.setattr(bench_embed.encode, "default_rows", lambda model: 8)
  monkeypatch.setattr(bench_embed.encode, "local_mesh", lambda: None)   # one to compile for
  monkeypatch.setattr(bench_embed, "_has_torch", lambda: False)   # takes seconds to import
  figures = bench_embed.measure(tiny.values("barcodemae", tiny_data, has_evals=False), rounds=1)
  assert figures["tokens per sequence"] == 24 and figures["rows of a batch"] == 8
  assert figures["sequences/s, 72 bp"] > 0 and figures["sequences/s, 30 bp"] > 0
  assert figures["ratio to one by one, compiled"] > 0
