import json

import pytest

from dnajax import config as config_lib
from dnajax import errors


@pytest.mark.parametrize("changes,message", [
    (dict(masking__ratio=1.5), "masking.ratio"),
    (dict(masking__random_share=0.5), "masking.random_share"),
    (dict(masking__selection="unifrom"), "uniform"),
    (dict(masking__corruption="delete"), "drop"),
    (dict(model__name="masked_lm"), "corruption='drop'"),
    (dict(model__num_heads=3), "model.num_heads"),
    (dict(model__decoder_num_heads=3), "decoder_num_heads"),
    (dict(model__norm="none"), "model.norm"),
    (dict(model__max_positions=8), "max_positions"),
    (dict(tokens__k=11), "tokens.k"),
    (dict(tokens__n_policy="delete"), "tokens.n_policy"),
    (dict(accumulate_steps=3), "accumulate_steps"),
    (dict(optimizer__schedule="onecycle"), "one_cycle"),
    (dict(optimizer__warmup_steps=99), "warmup_steps"),
    (dict(evals__masked_loss__type="loss"), "mean_loss"),
])
def test_a_wrong_value_is_refused_by_name(tiny_config, changes, message):
  with pytest.raises(errors.UserError, match=message):
    config_lib.derive(tiny_config(**changes))


def test_sizes_follow_from_the_config(tiny_config):
  derived = config_lib.derive(tiny_config(masking__count="exact"))
  assert derived.num_tokens == 24 and derived.read_length == 74
  assert derived.num_kept == derived.num_scored == 16  # 12 rounded up to 8s
  derived = config_lib.derive(tiny_config(masking__capacity_sds=100.0))
  assert derived.num_kept == derived.num_scored == 24
  derived = config_lib.derive(tiny_config(loss__masked_loss_weight=0.9))
  assert derived.num_scored == 24
  derived = config_lib.derive(tiny_config(
      tokens__add_cls=True, batch_size=32, optimizer__learning_rate=1e-4,
      optimizer__learning_rate_scaling="per_64_sequences"))
  assert derived.num_tokens == 25 and derived.peak_learning_rate == 5e-5


def test_a_config_survives_json(tiny_config):
  config = tiny_config()
  again = config_lib.from_dict(json.loads(config_lib.to_json(config)))
  assert config_lib.to_json(again) == config_lib.to_json(config)
  assert config_lib.derive(again) == config_lib.derive(config)


def test_a_folder_that_is_no_workdir_is_named(tmp_path):
  with pytest.raises(errors.UserError, match="config.json"):
    config_lib.load_workdir_config(tmp_path)
  (tmp_path / "config.json").write_text("{")
  with pytest.raises(errors.UserError, match="damaged"):
    config_lib.load_workdir_config(tmp_path)
