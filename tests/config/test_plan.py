"""A start plans once: one check, one model, one reading of each table."""

import jax
import pytest
import tiny

from dnajax.config import experiment, plan
from dnajax.masking import pmi
from dnajax.training import run
from dnajax.training.objectives import masked_lm


@pytest.fixture
def counted(monkeypatch):
  """{what: number of calls} of what must happen once."""
  calls = {}

  def count(owner, name):
    plain = getattr(owner, name)

    def counting(*args, **kwargs):
      calls[name] = calls.get(name, 0) + 1
      return plain(*args, **kwargs)

    monkeypatch.setattr(owner, name, counting)

  count(experiment, "check")
  count(plan, "make")
  count(masked_lm.MaskedLM, "module")
  count(pmi, "load_ranks")
  return calls


def test_a_start_checks_builds_and_reads_once(counted, tiny_data, tmp_path):
  run.run(tiny.values("cm_gems", tiny_data, data__name="simulated_barcodes",
                      total_steps=2), tmp_path)
  assert counted == {"check": 1, "make": 1, "module": 1, "load_ranks": 1}


def test_the_untrained_parameters_are_those_that_training_begins_with(tiny_data):
  made = plan.make(tiny.values("barcodemae", tiny_data))
  again = plan.of_meta(made.meta)
  jax.tree.map(lambda a, b: (a == b).all() or pytest.fail("differs"),
               made.make_state().params, again.initial_params())


def test_a_run_with_an_evaluator_that_is_gone_can_still_be_read(tiny_data):
  meta = plan.make(tiny.values("barcodemae", tiny_data)).meta
  meta["config"]["evals"]["old"] = {"name": "no_longer_there"}
  assert plan.of_meta(meta).task.masking is not None
