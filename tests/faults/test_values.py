"""Values that make no training are refused by key, before anything is compiled."""

import pytest

from dnajax.config import experiment, overrides
from dnajax.devices import host_memory
from dnajax.shell import errors
from dnajax.training import run
from tests import tiny

WRONG = """
encoder.width=0  encoder.width=-16  encoder.num_heads=0  encoder.mlp_width=0  encoder.depth=0
encoder.dropout=2  objective.decoder_width=0  objective.decoder_num_heads=3
seed=-1  seed=99999999999999999999999  checkpoint.keep=-1  checkpoint.keep=0
checkpoint.every_steps=0  checkpoint.best=nothing/loss  masking.capacity_sds=-5
masking.capacity_sds=1e400  optimizer.learning_rate=-1  optimizer.learning_rate=1e400
optimizer.learning_rate=nan  optimizer.b1=2  optimizer.b1=1  optimizer.b1=-0.1  optimizer.b2=2
optimizer.b2=1  optimizer.eps=0  optimizer.eps=-1  optimizer.weight_decay=-1
optimizer.clip_norm=-1  optimizer.schedule.warmup_steps=-1  total_steps=0
total_steps=100000000000  num_epochs=-1  batch_size=0  batch_size=100000000000
accumulate_steps=3  log.every_steps=0  evals.masked_loss.every_steps=-2
losses.masked.weight=-1  balance.num_classes=-1
""".split()


@pytest.mark.parametrize("given", WRONG)
def test_it_is_refused_with_its_key_and_what_it_must_be(given, tiny_data):
  key, value = given.split("=")
  values = overrides.apply(tiny.values("barcodemae", tiny_data), [(key, value)])
  with pytest.raises(errors.UserError) as error:
    experiment.check(experiment.read(values))
  text = str(error.value)
  assert f"config.{key}" in text and " must be " in text and "\n" not in text


def test_one_cycle_has_fractions(tiny_data):
  for key, value in (("start_fraction", "2"), ("b1_at_peak", "1")):
    values = overrides.apply(tiny.values("barcodemae", tiny_data), [
        ("optimizer.schedule.name", "one_cycle"), (f"optimizer.schedule.{key}", value)])
    with pytest.raises(errors.UserError, match=f"schedule.{key}"):
      experiment.check(experiment.read(values))


def test_a_batch_that_does_not_fit_is_refused_before_it_is_begun(
    tiny_config, tmp_path, monkeypatch):
  asked = []
  monkeypatch.setattr(host_memory, "available_bytes", lambda: asked.append(1) or 2**40)
  run.run(tiny_config(has_evals=False, total_steps=2), tmp_path / "fits")
  monkeypatch.setattr(host_memory, "available_bytes", lambda: 2**10)
  with pytest.raises(errors.UserError, match="config.batch_size=.* GiB on each device"):
    run.run(tiny_config(has_evals=False, total_steps=2), tmp_path / "w")
  assert asked and not (tmp_path / "w/checkpoints").exists()
