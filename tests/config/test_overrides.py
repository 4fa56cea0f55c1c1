"""What stands on the command line, in two passes."""

import pytest

from dnajax.config import experiment, overrides
from dnajax.shell import errors

VALUES = dict(
    data=dict(name="d"), losses=dict(m=dict(name="masked_prediction")),
    encoder=dict(name="transformer", width=32, num_heads=2),
    masking=dict(selection=dict(name="uniform", ratio=0.5, count="exact")),
    evals=dict(knn_genus=dict(name="knn", key_split="train", query_split="unseen",
                              label="genus", features="encoder")))


def read(*pairs):
  return experiment.read(overrides.apply(VALUES, list(pairs)))


def test_keys_of_a_part_may_come_with_its_name_in_any_order():
  got = read(("masking.selection.reach", "7"), ("masking.selection.name", "gene_mask"),
             ("masking.curriculum.hard.reach", "4"), ("masking.curriculum.name", "cm_step"),
             ("masking.pmi_table", "t.npz"), ("evals.knn_genus.vote", "distance"))
  assert got.masking.selection.reach == 7 and got.masking.selection.ratio == 0.5
  assert got.masking.curriculum.hard.reach == 4
  assert got.evals["knn_genus"].vote == "distance"


def test_what_another_part_has_not_is_left_behind():
  values = overrides.apply(VALUES, [("masking.selection.name", "gene_mask")])
  assert values["masking"]["selection"] == {"name": "gene_mask", "ratio": 0.5}
  assert VALUES["masking"]["selection"]["name"] == "uniform"   # not changed


def test_a_new_entry_of_a_table_is_named_and_described():
  got = read(("losses.visible.weight", "0.5"), ("losses.visible.name", "visible_prediction"))
  assert got.losses["visible"].weight == 0.5


def test_an_entry_of_a_table_can_be_taken_out():
  assert read(("evals.knn_genus", "None")).evals == {}
  assert read(("evals", "None")).evals == {}
  with pytest.raises(errors.UserError, match="config.evals='{}' must be a table"):
    read(("evals", "{}"))


def test_a_section_that_the_file_does_not_mention_can_be_changed():
  got = read(("optimizer.schedule.name", "linear"), ("optimizer.schedule.warmup_steps", "3"),
             ("log.every_steps", "7"), ("optimizer.no_decay", "bias,norm"))
  assert got.optimizer.schedule.warmup_steps == 3 and got.log.every_steps == 7
  assert got.optimizer.no_decay == ("bias", "norm")


@pytest.mark.parametrize("pair,message", [
    (("masking.selection.raito", "1"), "did you mean config.masking.selection.ratio"),
    (("masking.selection.name", "unifrom"), "did you mean 'uniform'"),
    (("maskin.pmi_table", "x"), "did you mean config.masking"),
    (("encoder.width", "wide"), "config.encoder.width='wide' must be a whole number"),
    (("losses.visible.weight", "1"), "config.losses.visible"),
])
def test_a_mistyped_key_is_refused_with_the_nearest_right_one(pair, message):
  with pytest.raises(errors.UserError, match=message):
    read(pair)
