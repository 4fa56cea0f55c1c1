"""The evaluator of names: references are a split, queries another or what is left out of it."""

import evaluating
import numpy as np
import pytest

from dnajax.data import records
from dnajax.evaluators import identification
from dnajax.shell import errors


def test_a_split_is_a_library_with_its_names(tiny_data):
  split = records.open_split(evaluating.directory(tiny_data), "train")
  library = identification.library(split)
  assert library.num_read == split.num_records and "bin" not in library.ranks
  genus = split.vocabulary("genus")
  for i in (0, len(library.ids) - 1):
    number = int(library.ids[i])
    assert library.name("genus", library.names["genus"][i]) == genus[
        split.labels("genus")[number]]
    assert len(library.sequences[i]) <= 80


@pytest.mark.parametrize("hold_out", [False, True])
def test_values_of_each_method_and_rank_come_with_a_picture(tiny_data, hold_out):
  runner, params = evaluating.build_on(
      tiny_data, "identification", hold_out=hold_out, methods=("identify", "kmers"),
      ranks=("genus",), max_queries=40, batch_size=16)
  values = evaluating.values(runner, params)
  assert values["num_queries"] <= 40
  for method in ("identify", "kmers"):
    assert .15 < values[f"{method}_genus_accuracy"] <= 1   # chance: 1 in 8
    assert values[f"{method}_queries_per_second"] > 0
  assert 0 <= values["identify_genus_calibration_error"] <= 1
  assert "kmers_genus_calibration_error" not in values    # a cosine is no probability
  assert set(runner.figures()) == {"reliability"}
  assert ("left" if hold_out else "unseen") in runner.protocol.replace("less", "left")


def test_a_program_that_is_not_there_is_said(tiny_data, monkeypatch):
  monkeypatch.setenv("PATH", "/nowhere")
  runner, params = evaluating.build_on(tiny_data, "identification", methods=("sintax",),
                                       max_queries=10, batch_size=16)
  values = evaluating.values(runner, params)
  assert set(values) == {"num_queries", "num_references"}
  assert "sintax: no values: the program vsearch was not found" in runner.protocol


def test_wrong_values_are_named():
  with pytest.raises(errors.UserError, match="methods"):
    evaluating.part("identification", methods=("kmers", "kmers"))
  assert np.isfinite(evaluating.part("identification").max_queries)
