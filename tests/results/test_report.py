"""Reports of results that are made up."""

import builtins
import json

import made_up
import numpy as np
import pytest

from dnajax.results import report, store
from dnajax.shell import errors, failures, files
from tests.faults import limits


def test_report_has_tables_figures_and_protocols(tmp_path):
  pytest.importorskip("matplotlib")
  paths = report.write(tmp_path / "report", [made_up.found()],
                       [made_up.train(tmp_path)])
  assert [path.name for path in paths] == ["results.json", "report.md", "training.png",
                                           "accuracy.png"]
  assert sorted(path.name for path in (tmp_path / "report").iterdir()) == sorted(
      path.name for path in paths)
  assert json.loads(paths[0].read_text()) == made_up.found()
  text = paths[1].read_text()
  assert "| 80.5 % |" in text and "![training](training.png)" in text
  assert "`knn`: cosine 1-NN of encoder." in text
  for path in paths[2:]:
    assert path.read_bytes().startswith(b"\x89PNG")


def test_a_full_disk_is_told_with_the_place_and_leaves_the_old_report(tmp_path):
  report.write(tmp_path / "report", [made_up.found()], [made_up.train(tmp_path)])
  old = {path.name: path.read_bytes() for path in (tmp_path / "report").iterdir()}
  with limits.file_size(1_000), pytest.raises(OSError) as told:
    report.write(tmp_path / "report", [made_up.found(accuracy=0.7)], [tmp_path])
  assert str(tmp_path) in failures.explain(told.value)
  assert {path.name: path.read_bytes() for path in (tmp_path / "report").iterdir()} == old


def test_without_matplotlib_tables_are_written_and_the_remedy_is_told(
    tmp_path, monkeypatch):
  real = builtins.__import__

  def no_matplotlib(name, *args, **kwargs):
    if name.startswith("matplotlib") or "figures" in (args[2] or () if len(args) > 2 else ()):
      raise ImportError(name)
    return real(name, *args, **kwargs)

  monkeypatch.setattr(builtins, "__import__", no_matplotlib)
  said = []
  paths = report.write(tmp_path, [made_up.found()], [tmp_path],
                       say=said.append)
  assert [path.name for path in paths] == ["results.json", "report.md"]
  assert said == [report.NO_MATPLOTLIB] and "pip install" in said[0]


def test_runs_of_one_name_are_told_apart_by_their_paths(tmp_path):
  workdirs = [str(made_up.train(tmp_path / name / "run")) for name in ("a", "b")]
  for workdir in workdirs:
    report.write_evaluated(workdir, [(workdir, made_up.found("run"))], say=lambda text: None)
  report.write_several(workdirs, tmp_path / "both", say=lambda text: None)
  text = (tmp_path / "both" / "report.md").read_text()
  assert all(f"| {workdir} |" in text for workdir in workdirs)


def test_bars_and_lines_are_of_entries_that_say_so():
  figures = pytest.importorskip("dnajax.results.figures")
  results = made_up.found()["results"]
  axes, = figures.accuracy_bars(results).axes
  assert len(axes.patches) == 3
  plain = [entry | {"is_bar": False} for entry in results]
  assert figures.accuracy_bars(plain) is None
  curves = {"first": [{"step": s, "genus/accuracy": 0.5, "genus/macro_accuracy": 0.5}
                      for s in (0, 8)]}
  lines = [[line.get_label() for line in figures.training_curves(curves, some).axes[0].lines]
           for some in (results, plain)]
  assert lines == [["genus", "6-mer counts (knn)"], ["genus"]]


def test_runs_on_different_data_are_marked():
  same = report.markdown([made_up.found("a"), made_up.found("b")])
  other = report.markdown([made_up.found("a"), made_up.found("b", fingerprint="e" * 32)])
  assert "do not compare" in other and "do not compare" not in same


def test_results_of_a_workdir_are_read_or_the_command_for_them_is_told(tmp_path):
  with pytest.raises(errors.UserError, match="dnajax.evaluate --workdir="):
    store.load(tmp_path)
  path = tmp_path / "report" / "results.json"
  path.parent.mkdir()
  without_units = made_up.found()
  del without_units["results"][0]["unit"]
  for damaged in ("{", "[]", "{}", json.dumps(without_units)):
    path.write_text(damaged)
    with pytest.raises(errors.UserError, match="damaged"):
      store.load(tmp_path)
  path.write_text(json.dumps(made_up.found()))
  assert store.load(tmp_path) == made_up.found()


def test_evaluators_run_one_after_the_other_end_in_one_report(tmp_path):
  def named(evaluator, **options):
    one = made_up.with_queries(made_up.found("a", **options), trained=[1, 0])
    one["is_right"] = {f"{evaluator}/trained encoder": np.array([1, 0], bool)}
    for entry in one["results"]:
      entry["evaluator"] = evaluator
      entry["task"] = f"task of {evaluator}"
    one["run"] |= {"setting": "s"}
    return one

  def evaluated(one):
    report.write_evaluated(tmp_path, [(tmp_path, one)], say=lambda text: None)
    return store.load(tmp_path)

  evaluated(named("first", accuracy=0.5))
  (tmp_path / "report" / "first_map.png").write_bytes(b"")
  both = evaluated(named("second", accuracy=0.7))
  assert both["results"] == [*named("first", accuracy=0.5)["results"],
                             *named("second", accuracy=0.7)["results"]]
  assert set(both["is_right"]) == {"first/trained encoder", "second/trained encoder"}
  text = (tmp_path / "report" / "report.md").read_text()
  assert "task of first" in text and "task of second" in text and "first_map.png" in text
  again = evaluated(named("first", accuracy=0.6))
  assert again["results"] == [*named("first", accuracy=0.6)["results"],
                              *named("second", accuracy=0.7)["results"]]
  # Of another checkpoint, seed or data set nothing is kept.
  for other in ({"step": 4}, {"fingerprint": "e" * 32}):
    (tmp_path / "report" / "results.json").write_text(json.dumps(again | {"is_right": 0}))
    assert evaluated(named("third", **other))["results"] == named("third", **other)["results"]
  (tmp_path / "report" / "results.json").write_text("{")
  assert evaluated(named("third"))["results"] == named("third")["results"]


def test_an_interrupted_write_leaves_the_old_report(tmp_path):
  report.write(tmp_path, [made_up.found()], [tmp_path])
  before = (tmp_path / "results.json").read_text()

  def fail(part):
    part.write_text("half")
    raise OSError("disk full")

  with pytest.raises(OSError, match="disk full"):
    files.write_atomically(tmp_path / "results.json", fail)
  assert (tmp_path / "results.json").read_text() == before
  assert not list(tmp_path.glob(".*"))
