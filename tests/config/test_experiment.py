"""Wrong values of a config are refused by name, before anything is made."""

import dataclasses

import pytest

from dnajax.config import experiment
from dnajax.shell import errors


@pytest.mark.parametrize("changes,message", [
    (dict(masking__selection__ratio=1.5), r"masking\.selection\.ratio"),
    (dict(masking__corruption__random_share=0.5), r"corruption\.random_share"),
    (dict(masking__selection__name="unifrom"), "uniform"),
    (dict(masking__corruption__name="delete"), "drop"),
    (dict(objective__name="masked_lm"), "drop"),
    (dict(encoder__name="conv"), "drop"),
    (dict(encoder__num_heads=3), r"encoder\.num_heads"),
    (dict(objective__decoder_num_heads=3), "decoder_num_heads"),
    (dict(encoder__norm="none"), r"encoder\.norm"),
    (dict(encoder__remat="foo"), r"encoder\.remat"),
    (dict(encoder__max_positions=8), "max_positions"),
    (dict(tokens__k=11), r"tokens\.k"),
    (dict(tokens__n_policy="delete"), r"tokens\.n_policy"),
    (dict(tokens__add_sep=True), r"tokens\.add_sep"),
    (dict(data__max_length=2), "max_length"),
    (dict(data__split="train_{what}"), "seed"),
    (dict(accumulate_steps=3), "accumulate_steps"),
    (dict(optimizer__schedule__name="onecycle"), "one_cycle"),
    (dict(optimizer__schedule__warmup_steps=99), "warmup_steps"),
    (dict(evals__masked_loss__name="loss"), "mean_loss"),
    (dict(checkpoint__best="nobody/loss"), r"checkpoint\.best"),
    (dict(objective__name="causal_lm", losses__masked__name="masked_prediction"),
     "next_token"),
    (dict(masking__curriculum__name="cm_gems", masking__curriculum__evaluator="nobody"),
     "evaluator"),
])
def test_a_wrong_value_is_refused_by_name(tiny_config, changes, message):
  with pytest.raises(errors.UserError, match=message):
    experiment.check(experiment.read(tiny_config(**changes)))


def test_a_config_survives_its_own_table(tiny_config):
  made = experiment.read(tiny_config())
  assert experiment.read(made.to_dict()) == made


def test_an_objective_that_hides_nothing_has_no_masking(tiny_config):
  made = experiment.read(tiny_config(
      objective__name="causal_lm", losses__masked__name="next_token"))
  assert made.masking is None
  experiment.check(made)


def test_seed_stands_in_the_name_of_a_split(tiny_config):
  made = experiment.read(tiny_config(data__split="train_{seed}", seed=3))
  assert made.split == "train_3"
  assert dataclasses.replace(made, seed=4).split == "train_4"
