"""Tables of results: what stands where, and how numbers of each unit look."""

import made_up
import pytest

from dnajax.results import tables


def test_untrained_trained_and_counts_stand_in_one_table():
  (task, rows), = tables.of_results(made_up.found()["results"])
  assert task == "genus 1-NN, unseen → train"
  assert rows == [["features", "n", "accuracy", "mean cosine"],
                  ["untrained encoder", "1,250", "45.0 %", "not finite"],
                  ["trained encoder (step 8)", "1,250", "60.0 %", "0.25"],
                  ["6-mer counts", "1,250", "80.5 %", "–"]]


def test_several_runs_share_the_row_of_the_counts():
  results = made_up.found("a")["results"] + made_up.found("b", accuracy=0.7)["results"]
  (_, (header, *rows)), = tables.of_results(results)
  assert header[:4] == ["run", "features", "n", "accuracy"]
  assert [(run, kind, accuracy) for run, kind, _, accuracy, _ in rows] == [
      ("a", "untrained encoder", "45.0 %"), ("a", "trained encoder (step 8)", "60.0 %"),
      ("b", "untrained encoder", "45.0 %"), ("b", "trained encoder (step 8)", "70.0 %"),
      ("", "6-mer counts", "80.5 %")]


@pytest.mark.parametrize("value, unit, spread, text", [
    (0.4567, "share", None, "45.7 %"), (0.6, "share", 0.1, "60.0 ± 10 %"),
    (1234567, "count", None, "1,234,567"), (3.14159, "nats", None, "3.142"),
    (3.14159, "", 0.25, "3.142 ± 0.25"), (None, "share", None, "not finite")])
def test_a_number_looks_as_its_unit_wants(value, unit, spread, text):
  entry = made_up.entry("trained encoder", "anything", value, unit) | {"spread": spread}
  assert tables.number(entry) == text


def test_a_metric_nobody_has_heard_of_is_shown_if_it_says_so():
  results = [made_up.entry("trained encoder", name, 0.5, is_shown=shown)
             for name, shown in (("zebras", True), ("secret", False))]
  text = tables.all_as_text(results)
  assert "zebras" in text and "secret" not in text


def test_columns_of_text_are_aligned():
  assert tables.text([["a", "n"], ["bcd", "10"], ["e", "200"]], 1) == [
      "a      n", "--------", "bcd   10", "e    200"]
