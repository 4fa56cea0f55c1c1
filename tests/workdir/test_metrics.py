import json
import sys

from dnajax.config import experiment
from dnajax.shell import files
from dnajax.shell.metric import Metric
from dnajax.workdir import metrics

ROW = [Metric("train/loss", 1.23456, "nats"), Metric("train/accuracy", 0.5, "share"),
       Metric("masking/share", 0.2, "share", is_shown=False),
       Metric("speed/seconds_left", 3_723, "seconds"),
       Metric("speed/sequences_per_second", 1234.5, "per_second"),
       Metric("knn/num_keys", 20_000, "count"), Metric("knn/accuracy", float("nan"), "share")]


def rows(workdir):
  return [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]


def test_the_record_has_everything_and_the_console_what_is_to_be_shown(tmp_path, capsys):
  writers, say = metrics.open_writers(tmp_path, total_steps=200, first_step=None)
  say("begins")
  for writer in writers:
    writer.write(50, ROW)
  row, = rows(tmp_path)
  assert row.pop("time") > 1e9 and row.pop("step") == 50
  assert row.pop("knn/accuracy") != row.get("knn/accuracy")
  assert row == {metric.name: metric.value for metric in ROW[:-1]}
  wanted = ("begins\nstep 50/200  25 % · 1:02:03 left · loss 1.235 · accuracy 50.00 % · "
            "speed/sequences_per_second 1,234 · knn/num_keys 20,000 · knn/accuracy nan\n")
  assert capsys.readouterr().out == wanted == (tmp_path / "log.txt").read_text()


def test_a_resumed_run_takes_out_the_rows_it_will_write_again(tmp_path):
  def write(first_step, steps):
    writer = metrics.JsonLines(tmp_path, total_steps=9, first_step=first_step)
    for step in steps:
      writer.write(step, [Metric("train/loss", step)])

  write(None, (1, 2, 3))
  with open(tmp_path / "metrics.jsonl", "a") as file:
    file.write('{"step": 4, "trai')  # the kill came in the middle of a line
  write(2, (3, 4))
  assert [row["step"] for row in rows(tmp_path)] == [1, 2, 3, 4]
  write(None, (1,))
  assert [row["step"] for row in rows(tmp_path)] == [1]


def test_lowest_is_over_the_steps_that_may_be_chosen(tmp_path):
  path = tmp_path / "metrics.jsonl"
  assert metrics.lowest(path, "dev/loss", [2, 4]) is None and metrics.read_rows(path) == []
  files.write_text(path, "".join(json.dumps(row) + "\n" for row in [
      {"step": 1, "dev/loss": 0.1}, {"step": 2, "dev/loss": 0.4}, {"step": 2, "other": 0},
      {"step": 4, "dev/loss": 0.3}, {"step": 6, "dev/loss": float("nan")}]))
  assert metrics.lowest(path, "dev/loss", [2, 4, 6, 8]) == 4
  assert metrics.lowest(path, "dev/loss", [6, 8]) is None


def test_means_are_over_updates():
  found = [{"step": 4, "a": 1.0}, {"step": 4, "b": 1.0}, {"step": 6, "a": 4.0},
           {"step": 8, "a": 9.0}]
  assert metrics.mean_rows(found, ("a", "b", "c"), 6) == {"a": 2.0, "b": 1.0}


def test_without_dashboards_there_are_the_record_and_the_console(tmp_path, monkeypatch):
  monkeypatch.setitem(sys.modules, "tensorboardX", None)
  writers, _ = metrics.open_writers(tmp_path, total_steps=1, first_step=None,
                                    log=experiment.Log())
  assert [type(writer) for writer in writers] == [metrics.JsonLines, metrics.Console]
