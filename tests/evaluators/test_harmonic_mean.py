"""Harmonic mean of two other evaluations."""

import math

import pytest

from dnajax import config as config_lib
from dnajax import errors, evaluate
from dnajax.evaluators import base, harmonic_mean, knn


@pytest.mark.parametrize("a, b, want", [
    (0.5, 0.5, 0.5), (1, 0.5, 2 / 3), (0, 0, 0), (0.9, 0, 0), (0.9, -0.1, 0), (-1, 1, 0)])
def test_harmonic_mean_is_the_definition(a, b, want):
  assert harmonic_mean.harmonic_mean(a, b) == pytest.approx(want)
  assert harmonic_mean.harmonic_mean(b, a) == pytest.approx(want)


def test_no_number_has_no_harmonic_mean():
  assert math.isnan(harmonic_mean.harmonic_mean(math.nan, 0.5))
  assert math.isnan(harmonic_mean.harmonic_mean(-1, math.nan))


def make(config, closed, open_, **others):
  derived = config_lib.derive(config)
  model = config_lib.build_model(config, derived)
  context = base.Context(config, derived, model)
  for name, spec in others.items():
    config.evals[name] = spec
  config.evals.balance = dict(type="harmonic_mean", every_steps=0, closed=closed, open=open_)
  return harmonic_mean.from_config(config.evals.balance, context), context


def test_scores_are_those_of_the_named_entries_computed_once(tiny_config, monkeypatch):
  config = tiny_config()
  evaluator, context = make(config, "known/macro_accuracy", "knn_genus/accuracy", known={
      **config.evals.knn_genus, "query_split": "test"})
  params = evaluate.initial_params(config, context.derived, context.model)
  calls, run = [], knn.Knn.run
  monkeypatch.setattr(knn.Knn, "run",
                      lambda self, params: calls.append(1) or run(self, params))
  got = dict(evaluator.run(params))
  closed = dict(base.make(config.evals.known, context).run(params))["macro_accuracy"]
  open_ = dict(base.make(config.evals.knn_genus, context).run(params))["accuracy"]
  assert got == {"closed": closed, "open": open_, "harmonic_mean": pytest.approx(
      2 * closed * open_ / (closed + open_))}
  assert dict(evaluator.run(params)) == got and len(calls) == 4
  dict(evaluator.run({**params}))                      # other parameters: again
  assert len(calls) == 6


def test_a_score_that_is_absent_gives_no_mean(tiny_config, monkeypatch):
  monkeypatch.setenv("PATH", "")
  config = tiny_config()
  evaluator, _ = make(config, "aligned/accuracy", "knn_genus_kmers/accuracy", aligned={
      **config.evals.knn_genus, "features": "best_hit"})
  assert dict(evaluator.run(None)) == {}


@pytest.mark.parametrize("closed, says", [
    ("knn_genus", "NAME/METRIC"), ("nobody/accuracy", "Names: .*knn_genus_kmers, .*masked_loss"),
    ("balance/closed", "NAME/METRIC"), ("knn_genus/recall", "It has: accuracy, macro_accuracy"),
    (3, "NAME/METRIC")])
def test_wrong_names_are_told_with_the_right_ones(tiny_config, closed, says):
  with pytest.raises(errors.UserError, match=f"closed=.*{says}"):
    make(tiny_config(), closed, "knn_genus/accuracy")
