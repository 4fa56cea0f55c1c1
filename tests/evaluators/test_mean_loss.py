"""MeanLoss: the run's own masking, or one that all runs are compared by."""

import evaluating
import pytest

from dnajax.config import build
from dnajax.config import experiment as experiment_lib
from dnajax.config import plan as plan_lib
from dnajax.evaluators import context as context_lib
from dnajax.shell import errors, parts


@pytest.fixture(scope="module")
def plan_of(tiny_data):
  """config name -> Plan of its :tiny variant on the tiny barcodes; made once each."""
  import functools

  import tiny
  return functools.cache(lambda name: plan_lib.make(tiny.values(
      name, tiny_data, data__name="simulated_barcodes", data__split="pretrain",
      data__is_generated=False)))


def values(plan, name):
  """What an entry of a plan's own evals says of the parameters it begins with."""
  runner = plan.experiment.evals[name].build(context_lib.of_plan(plan))
  return evaluating.values(runner, plan.initial_params()), runner.protocol


@pytest.mark.parametrize("name", ["cm_gems", "randommask"])
def test_a_masking_of_its_own_is_that_of_a_run_with_this_masking(plan_of, name):
  own, _ = values(plan_of("dnabert"), "masked_loss")
  other, protocol = values(plan_of(name), "span_loss")
  third, _ = values(plan_of(name), "masked_loss")
  assert other == own and third != own
  assert "kmer_span selection, probability 0.025" in protocol


def test_a_masking_where_nothing_is_hidden_is_refused():
  made = experiment_lib.read(dict(data=dict(name="x"), objective=dict(name="causal_lm"),
                                  losses=dict(next=dict(name="next_token"))))
  setup = parts.Setup(objective=made.objective)
  evaluating.part("mean_loss", split="valid", setup=setup)
  with pytest.raises(errors.UserError, match="evals.it.masking must be absent"):
    evaluating.part("mean_loss", split="valid", setup=setup,
                    masking=dict(selection=dict(name="uniform")))


@pytest.mark.parametrize("masking, says", [
    (dict(selektion=dict(name="uniform")), "selektion; did you mean .*masking.selection"),
    (dict(selection=dict(name="kmer_spam")), "did you mean 'kmer_span'")])
def test_wrong_values_of_a_masking_are_told_by_key(masking, says):
  with pytest.raises(errors.UserError, match=says):
    evaluating.part("mean_loss", split="valid", masking=masking)


@pytest.mark.parametrize("key, value, says", [
    ("max_record", 5, "did you mean config.evals.it.max_records"),
    ("batch_size", 0, "at least 1"), ("max_records", "all", "a whole number")])
def test_wrong_keys_are_told_with_what_is_right(key, value, says):
  with pytest.raises(errors.UserError, match=says):
    evaluating.part("mean_loss", split="valid", **{key: value})


def test_a_masking_is_part_of_the_table_of_its_entry():
  entry = dict(name="mean_loss", split="valid", masking=dict(
      selection=dict(name="kmer_span", probability=0.025)))
  made = build.part("evaluator", entry, "evals.it")
  assert build.part("evaluator", build.named("evaluator", made), "evals.it") == made
