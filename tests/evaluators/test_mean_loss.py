"""MeanLoss: the run's own masking, or one that all runs are compared by."""

import pytest

from configs import cm_gems, dnabert, randommask
from dnajax import config as config_lib
from dnajax import errors, evaluate
from dnajax.evaluators import base


def make(config, name, data_dir):
  config.data.dir, config.data.name = str(data_dir), "simulated_barcodes"
  config.data.split = "pretrain"
  config = config_lib.complete(config)
  derived = config_lib.derive(config)
  model = config_lib.build_model(config, derived)
  params = evaluate.initial_params(config, derived, model)
  context = base.Context(config=config, derived=derived, model=model)
  return base.make(config.evals[name], context), params


@pytest.mark.parametrize("module", [cm_gems, randommask])
def test_a_masking_of_its_own_is_that_of_a_run_with_this_masking(module, tiny_data):
  own, params = make(dnabert.get_config("tiny"), "masked_loss", tiny_data)
  other, _ = make(module.get_config("tiny"), "span_loss", tiny_data)
  third, _ = make(module.get_config("tiny"), "masked_loss", tiny_data)
  assert dict(other.run(params)) == dict(own.run(params))
  assert dict(third.run(params)) != dict(own.run(params))
  assert "kmer_span selection, probability 0.025" in other.protocol


def test_wrong_values_of_a_masking_are_told_by_key(tiny_data):
  config = dnabert.get_config("tiny")
  config.evals.span_loss.masking = dict(selektion="uniform")
  with pytest.raises(errors.UserError, match="selektion.*It has: .*selection"):
    make(config, "span_loss", tiny_data)
  config.evals.span_loss.masking = dict(selection="kmer_spam")
  with pytest.raises(errors.UserError, match="kmer_spam"):
    make(config, "span_loss", tiny_data)


@pytest.mark.parametrize("key, value, says", [
    ("max_record", 5, "no such key.*max_records"), ("batch_size", 0, "at least 1"),
    ("max_records", "all", "kind of 0")])
def test_wrong_keys_are_told_with_what_is_right(tiny_data, key, value, says):
  config = dnabert.get_config("tiny")
  with config.unlocked(), config.evals.masked_loss.ignore_type():
    config.evals.masked_loss[key] = value
  with pytest.raises(errors.UserError, match=says):
    make(config, "masked_loss", tiny_data)
