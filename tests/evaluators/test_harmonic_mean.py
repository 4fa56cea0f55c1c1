"""Harmonic mean of two other evaluations."""

import math

import evaluating
import pytest

from dnajax.evaluators import harmonic_mean, knn
from dnajax.shell import errors, metric


@pytest.mark.parametrize("a, b, want", [
    (0.5, 0.5, 0.5), (1, 0.5, 2 / 3), (0, 0, 0), (0.9, 0, 0), (0.9, -0.1, 0), (-1, 1, 0)])
def test_harmonic_mean_is_the_definition(a, b, want):
  assert harmonic_mean.harmonic_mean(a, b) == pytest.approx(want)
  assert harmonic_mean.harmonic_mean(b, a) == pytest.approx(want)


def test_no_number_has_no_harmonic_mean():
  assert math.isnan(harmonic_mean.harmonic_mean(math.nan, 0.5))
  assert math.isnan(harmonic_mean.harmonic_mean(-1, math.nan))


KNN = dict(key_split="train", label="genus", batch_size=16)


def make(data_dir, closed, open_, **others):
  """(runner, context); the entry stands beside knn_genus, its k-mer counts and others."""
  evals = {"knn_genus": evaluating.part("knn", **KNN, query_split="unseen"),
           "knn_genus_kmers": evaluating.part("knn", **KNN, query_split="unseen",
                                              features="kmer_counts", k=3), **others}
  evals["balance"] = evaluating.part("harmonic_mean", closed="knn_genus/accuracy",
                                     open="knn_genus/accuracy")
  part = evaluating.part("harmonic_mean", closed=closed, open=open_, evals=evals)
  assert set(part.others) == {closed.partition("/")[0], open_.partition("/")[0]}
  context = evaluating.context(data_dir, evals={**evals, "balance": part})
  return part.build(context), context


def test_scores_are_those_of_the_named_entries_computed_once(tiny_data, monkeypatch):
  known = evaluating.part("knn", **KNN, query_split="test")
  runner, context = make(tiny_data, "known/macro_accuracy", "knn_genus/accuracy", known=known)
  params = evaluating.params(context.model)
  calls, run = [], knn.Runner.run
  monkeypatch.setattr(knn.Runner, "run",
                      lambda self, params: calls.append(1) or run(self, params))
  got = evaluating.values(runner, params)
  closed, open_ = (evaluating.values(context.evals[name].build(context), params)
                   for name in ("known", "knn_genus"))
  closed, open_ = closed["macro_accuracy"], open_["accuracy"]
  assert got == {"closed": closed, "open": open_, "harmonic_mean": pytest.approx(
      2 * closed * open_ / (closed + open_))}
  assert evaluating.values(runner, params) == got and len(calls) == 4
  list(runner.run({**params}))                      # other parameters: again
  assert len(calls) == 6
  assert {one.unit for one in runner.run(params)} == {"share"}


def test_scores_of_two_units_have_a_mean_without_one():
  runner = harmonic_mean.Runner(lambda params: metric.Metric("ami", 0.5),
                                lambda params: metric.Metric("accuracy", 0.5, "share"))
  assert [(one.value, one.unit) for one in runner.run(None)] == [
      (0.5, ""), (0.5, ""), (0.5, "share")]


def test_a_score_that_is_absent_gives_no_mean(tiny_data, monkeypatch):
  monkeypatch.setenv("PATH", "")
  aligned = evaluating.part("knn", **KNN, query_split="unseen", features="best_hit")
  runner, _ = make(tiny_data, "aligned/accuracy", "knn_genus_kmers/accuracy",
                   aligned=aligned)
  assert list(runner.run(None)) == []


@pytest.mark.parametrize("closed, says", [
    ("knn_genus", "NAME/METRIC"), ("nobody/accuracy", "names: .*knn_genus, knn_genus_kmers"),
    ("balance/closed", "NAME/METRIC"), ("knn_genus/recall", "It has: accuracy, macro_accuracy"),
    (3, "must be a text")])
def test_wrong_names_are_told_with_the_right_ones(tiny_data, closed, says):
  with pytest.raises(errors.UserError, match=f"closed=.*{says}"):
    make(tiny_data, closed, "knn_genus/accuracy")
