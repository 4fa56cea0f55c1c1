import copy

import pytest

from dnajax.shell import errors
from dnajax.workdir import resume

CONFIG = {
    "seed": 0, "total_steps": 100, "num_epochs": 0, "batch_size": 8,
    "data": {"name": "a", "dir": "data", "split": "train"},
    "init_from": {"workdir": "", "take": "everything"},
    "masking": {"pmi_table": "a.npz", "selection": {"name": "gene_mask", "sizes": (3, 6)}},
    "encoder": {"name": "transformer", "width": 8, "attention": "explicit", "remat": "none",
                "scan_unroll": 1},
    "mesh": {"data": -1}, "log": {"every_steps": 5}, "checkpoint": {"keep": 3, "best": ""},
    "evals": {"knn": {"name": "knn", "k": 1}}}


def meta(changes=None, **others):
  config = copy.deepcopy(CONFIG)
  for key, value in (changes or {}).items():
    *above, last = key.split(".")
    table = config
    for name in above:
      table = table[name]
    table[last] = value
  return {"config": config, "data": {"fingerprint": "f"}, "pmi_table": "p", **others}


@pytest.mark.parametrize("key, value", [
    ("total_steps", 200), ("num_epochs", 3), ("mesh.data", 2), ("mesh", {"fsdp": 2}),
    ("log.every_steps", 1), ("checkpoint.keep", 1), ("checkpoint.best", "dev/loss"),
    ("evals", {}), ("evals.knn.k", 5), ("data.dir", "elsewhere"),
    ("masking.pmi_table", "b.npz"), ("encoder.attention", "xla"), ("encoder.remat", "dots"),
    ("encoder.scan_unroll", 2), ("init_from.workdir", "moved"),
    ("masking.selection.sizes", [3, 6])])
def test_where_and_how_a_run_is_computed_may_change(key, value):
  assert resume.check(meta(), meta({key: value}), "w", 4).startswith("checkpoint of step 4")


@pytest.mark.parametrize("key, value", [
    ("seed", 1), ("batch_size", 16), ("data.split", "val"), ("data.name", "b"),
    ("encoder.width", 16), ("encoder.name", "conv"), ("init_from.take", "shape"),
    ("masking.selection.sizes", (3, 9)), ("masking", None), ("losses", {"a": 1})])
def test_other_science_is_refused_with_both_values(key, value):
  with pytest.raises(errors.UserError) as error:
    resume.check(meta(), meta({key: value}), "runs/first", 4)
  assert key in str(error.value) and "runs/first" in str(error.value)


def test_other_data_and_another_table_are_refused():
  with pytest.raises(errors.UserError, match="data fingerprint: the run has 'f', now 'g'"):
    resume.check(meta(), meta(data={"fingerprint": "g"}), "w", 4)
  with pytest.raises(errors.UserError, match="PMI table fingerprint"):
    resume.check(meta(), meta(pmi_table=None), "w", 4)


def test_another_number_of_updates_is_said():
  assert "total_steps was 100" in resume.check(meta(), meta({"total_steps": 9}), "w", 4)
  assert "total_steps" not in resume.check(meta(), meta(), "w", 4)


def test_what_decides_an_outcome_leaves_out_where_it_is_computed():
  assert resume.fixed(CONFIG) == {
      "seed": 0, "total_steps": 100, "num_epochs": 0, "batch_size": 8, "data.name": "a",
      "data.split": "train", "init_from.workdir": "", "init_from.take": "everything",
      "masking.selection.name": "gene_mask", "masking.selection.sizes": [3, 6],
      "encoder.name": "transformer", "encoder.width": 8}
