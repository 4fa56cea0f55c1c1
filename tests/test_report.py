"""Tables and figures from results that are made up."""

import builtins
import json

import numpy as np
import pytest

from dnajax import bootstrap, comparison, errors, files, report, results, seeds


def made_up(run="first", *, accuracy=0.6, fingerprint="f" * 32, step=8):
  """What dnajax.evaluate returns, with one task."""
  def entry(features, metric, value, at=None):
    return {"run": run, "evaluator": "knn", "task": "genus 1-NN, unseen → train",
            "features": features, "metric": metric, "value": value, "n": 1250,
            "protocol": f"cosine 1-NN of {features.split()[-1]}",
            "fingerprint": fingerprint, "step": at, "seed": 0}
  return {
      "run": {"name": run, "step": step, "total_steps": 8, "seed": 0, "model": "mae",
              "data": "simulated_barcodes", "fingerprint": fingerprint, "versions": {}},
      "results": [entry("untrained encoder", "accuracy", 0.45, 0),
                  entry("untrained encoder", "mean_cosine", None, 0),
                  entry("trained encoder", "accuracy", accuracy, step),
                  entry("trained encoder", "mean_cosine", 0.25, step),
                  entry("trained encoder", "num_keys", 9, step),
                  entry("6-mer counts", "accuracy", 0.805)]}


def metrics_file(path):
  rows = [{"step": 0, "time": 0.0, "knn/accuracy": 0.45, "knn/macro_accuracy": 0.4,
           "knn/effective_rank": 9.0},
          *({"step": s, "time": 0.0, "train/loss": 8.3 / s} for s in range(1, 9)),
          {"step": 8, "time": 1.0, "knn/accuracy": 0.6, "knn/macro_accuracy": 0.5,
           "knn/effective_rank": 7.0}]
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text("".join(json.dumps(row) + "\n" for row in rows))
  return path


def test_untrained_trained_and_counts_stand_in_one_table():
  (task, rows), = report.tables(made_up()["results"])
  assert task == "genus 1-NN, unseen → train"
  assert rows == [["features", "n", "accuracy", "mean cosine"],
                  ["untrained encoder", "1,250", "45.0 %", "not finite"],
                  ["trained encoder (step 8)", "1,250", "60.0 %", "0.25"],
                  ["6-mer counts", "1,250", "80.5 %", "–"]]


def test_several_runs_share_the_row_of_the_counts():
  results = made_up("a")["results"] + made_up("b", accuracy=0.7)["results"]
  (_, (header, *rows)), = report.tables(results)
  assert header[:4] == ["run", "features", "n", "accuracy"]
  assert [(run, kind, accuracy) for run, kind, _, accuracy, _ in rows] == [
      ("a", "untrained encoder", "45.0 %"), ("a", "trained encoder (step 8)", "60.0 %"),
      ("b", "untrained encoder", "45.0 %"), ("b", "trained encoder (step 8)", "70.0 %"),
      ("", "6-mer counts", "80.5 %")]


def test_seeds_of_one_setting_become_a_mean_and_a_spread(tmp_path):
  found = [made_up(f"mae-{seed}", accuracy=accuracy)
           for seed, accuracy in enumerate((0.5, 0.6, 0.7))] + [made_up("other")]
  for seed, one in enumerate(found):
    one["run"] |= {"setting": "s" if seed < 3 else "t", "seed": seed}
    for entry in one["results"]:
      entry["seed"] = seed
  merged = seeds.merge(found)
  trained, = [entry for entry in merged if entry["metric"] == "accuracy"
              and entry["features"] == "trained encoder" and entry["run"] != "other"]
  assert trained["run"] == "mae (3 seeds)" and trained["seeds"] == [0, 1, 2]
  assert trained["values"] == [0.5, 0.6, 0.7]
  np.testing.assert_allclose([trained["value"], trained["spread"]], [0.6, 0.1])
  text = report.markdown(found)
  assert "| 60.0 ± 10 % |" in text and "| not finite |" in text
  assert [e for e in merged if e["run"] == "other"] == found[3]["results"]


def with_queries(one, **is_right):
  names = {"untrained": "untrained encoder", "trained": "trained encoder",
           "counts": "6-mer counts"}
  one["is_right"] = {f"knn/{names[name]}": np.array(values, bool)
                     for name, values in is_right.items()}
  return one


def test_differences_are_paired_over_queries(tmp_path):
  rng = np.random.default_rng(0)
  right = {name: rng.random(400) < share for name, share in
           (("untrained", 0.4), ("trained", 0.6), ("counts", 0.8))}
  one = with_queries(made_up("a"), **right)
  same = with_queries(made_up("b"), **right)
  (task, rows), = comparison.tables([one, same])
  assert task == "genus 1-NN, unseen → train"
  cells = {(run, kind): rest for run, kind, *rest in rows[1:]}
  assert cells["a", "trained encoder"][2:] == ["", ""]
  assert cells["b", "trained encoder"][2:] == ["+0.0", "+0.0 to +0.0"]
  accuracy, _, difference, interval = cells["", "6-mer counts"]
  assert accuracy == f"{100 * right['counts'].mean():.1f} %"
  gap = 100 * (right["counts"].mean() - right["trained"].mean())
  low, high = map(float, interval.replace("+", "").split(" to "))
  assert float(difference) == pytest.approx(gap, abs=0.06) and low < gap < high
  # What is written beside a report is read again.
  report.write(tmp_path / "report", [one], [tmp_path / "none"])
  read = results.load(tmp_path)
  np.testing.assert_array_equal(read["is_right"]["knn/6-mer counts"], right["counts"])
  assert comparison.tables([read, same]) == [(task, rows)]
  assert "difference to" in (tmp_path / "report" / "report.md").read_text()


def test_seeds_of_a_setting_count_as_one_in_a_comparison():
  found = []
  for seed, values in enumerate(([1, 1, 0, 0], [1, 0, 0, 0])):
    one = with_queries(made_up(f"run-{seed}"), trained=values, counts=[1, 1, 1, 0])
    one["run"] |= {"setting": "s", "seed": seed}
    found.append(one)
  (_, rows), = comparison.tables(found)
  assert [row[:3] for row in rows[1:]] == [["run (2 seeds)", "trained encoder", "37.5 %"],
                                           ["", "6-mer counts", "75.0 %"]]
  assert rows[2][4] == "+37.5"


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_intervals_are_those_of_resampled_queries(share):
  rng = np.random.default_rng(1)
  values = rng.random(60) < share
  means = [rng.choice(values, 60).mean() for _ in range(4000)]
  np.testing.assert_allclose(bootstrap.interval(values), np.quantile(means, [0.025, 0.975]),
                             atol=0.021)


def test_runs_of_another_setting_step_or_of_the_same_seed_are_not_averaged():
  found = [made_up("a"), made_up("b", step=4), made_up("c"), made_up("d", fingerprint="e")]
  for one, seed in zip(found, (0, 1, 0, 2), strict=True):
    one["run"] |= {"setting": "s", "seed": seed}
  assert {entry["run"] for entry in seeds.merge(found)} == {"a", "b", "c", "d"}


def test_the_setting_is_everything_but_the_seed_and_what_changes_no_result():
  config = {"seed": 0, "data": {"dir": "here", "name": "n"}, "evals": {}, "lr": 1.0}
  same = config | {"seed": 3, "data": {"dir": "there", "name": "n"}, "evals": {"a": 1}}
  assert seeds.setting(same) == seeds.setting(config)
  for other in ({"lr": 2.0}, {"data": {"dir": "here", "name": "m"}}):
    assert seeds.setting(config | other) != seeds.setting(config)


def test_report_has_tables_figures_and_protocols(tmp_path):
  pytest.importorskip("matplotlib")
  paths = report.write(tmp_path / "report", [made_up()],
                       [metrics_file(tmp_path / "metrics.jsonl")])
  assert [path.name for path in paths] == ["results.json", "report.md", "training.png",
                                           "accuracy.png"]
  assert sorted(path.name for path in (tmp_path / "report").iterdir()) == sorted(
      path.name for path in paths)
  assert json.loads(paths[0].read_text()) == made_up()
  text = paths[1].read_text()
  assert "| 80.5 % |" in text and "![training](training.png)" in text
  assert "`knn`: cosine 1-NN of encoder." in text
  for path in paths[2:]:
    assert path.read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib_tables_are_written_and_the_remedy_is_told(
    tmp_path, monkeypatch):
  real = builtins.__import__

  def no_matplotlib(name, *args, **kwargs):
    if name.startswith("matplotlib") or "figures" in (args[2] or () if len(args) > 2 else ()):
      raise ImportError(name)
    return real(name, *args, **kwargs)

  monkeypatch.setattr(builtins, "__import__", no_matplotlib)
  said = []
  paths = report.write(tmp_path, [made_up()], [tmp_path / "metrics.jsonl"],
                       say=said.append)
  assert [path.name for path in paths] == ["results.json", "report.md"]
  assert said == [report.NO_MATPLOTLIB] and "pip install" in said[0]


def test_runs_on_different_data_are_marked():
  same = report.markdown([made_up("a"), made_up("b")])
  other = report.markdown([made_up("a"), made_up("b", fingerprint="e" * 32)])
  assert "do not compare" in other and "do not compare" not in same


def test_results_of_a_workdir_are_read_or_the_command_for_them_is_told(tmp_path):
  with pytest.raises(errors.UserError, match="dnajax.evaluate --workdir="):
    results.load(tmp_path)
  path = tmp_path / "report" / "results.json"
  path.parent.mkdir()
  for damaged in ("{", "[]", "{}"):
    path.write_text(damaged)
    with pytest.raises(errors.UserError, match="damaged"):
      results.load(tmp_path)
  path.write_text(json.dumps(made_up()))
  assert results.load(tmp_path) == made_up()


def test_evaluators_run_one_after_the_other_end_in_one_report(tmp_path):
  def named(evaluator, **options):
    one = with_queries(made_up("a", **options), trained=[1, 0])
    one["is_right"] = {f"{evaluator}/trained encoder": np.array([1, 0], bool)}
    for entry in one["results"]:
      entry["evaluator"] = evaluator
      entry["task"] = f"task of {evaluator}"
    one["run"] |= {"setting": "s"}
    return one

  def evaluated(one):
    report.write_evaluated(tmp_path, [(tmp_path, one)], say=lambda text: None)
    return results.load(tmp_path)

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
  report.write(tmp_path, [made_up()], [tmp_path / "metrics.jsonl"])
  before = (tmp_path / "results.json").read_text()

  def fail(part):
    part.write_text("half")
    raise OSError("disk full")

  with pytest.raises(OSError, match="disk full"):
    files.write_atomically(tmp_path / "results.json", fail)
  assert (tmp_path / "results.json").read_text() == before
  assert not list(tmp_path.glob(".*"))
