import json
import sys
import threading
import types

import numpy as np
import pytest

from dnajax.config import experiment, registry
from dnajax.results import watching
from dnajax.shell import errors
from dnajax.shell.metric import Metric
from dnajax.training import run as run_lib
from dnajax.workdir import metrics
from dnajax.workdir.dashboards import background, dashboard, projector, start

IMAGE = np.zeros((4, 6, 3), np.uint8)


class FakeRun:
  """A run of wandb or trackio that keeps what it is given."""

  def __init__(self, options):
    self.options, self.rows, self.is_finished = options, [], False

  def log(self, values, step):
    self.rows.append((step, values))

  def finish(self):
    self.is_finished = True


def fake(monkeypatch, name, init=FakeRun):
  """Puts a package into sys.modules; returns the runs that it begins."""
  module, runs = types.ModuleType(name), []
  module.__spec__ = types.SimpleNamespace()
  module.Image = lambda pixels: ("image", pixels.shape)

  def begin(**options):
    runs.append(init(options))
    return runs[-1]
  module.init = begin
  monkeypatch.setitem(sys.modules, name, module)
  return runs


def fakes(monkeypatch, init=FakeRun):
  monkeypatch.setitem(sys.modules, "tensorboardX", None)
  return {name: fake(monkeypatch, name, init) for name in ("wandb", "trackio")}


def opened(workdir, first_step=None, names=("wandb", "trackio")):
  return metrics.open_writers(
      workdir, total_steps=9, first_step=first_step, config={"seed": 1},
      log=experiment.Log(dashboards=names, project="moths"))


def train(workdir, steps, first_step=None, **options):
  """What a run does with its writers."""
  writers, _ = opened(workdir, first_step, **options)
  for step in steps:
    for name in ("train/loss", "dev/loss"):
      for writer in writers:
        writer.write(step, [Metric(name, step / 2)])
  for writer in writers:
    writer.draw(steps[-1], {"figures/map": IMAGE})
    writer.close()


def warnings(workdir):
  return [line for line in (workdir / "log.txt").read_text().splitlines() if "warning" in line]


def test_all_dashboards_get_the_same_values_under_the_same_names(tmp_path, monkeypatch):
  runs = fakes(monkeypatch)
  train(tmp_path, (1, 2))
  wanted = [(step, {name: step / 2}) for step in (1, 2) for name in ("train/loss", "dev/loss")]
  for (run,) in runs.values():
    assert run.rows == [*wanted, (2, {"figures/map": ("image", IMAGE.shape)})]
    assert run.is_finished and run.options["project"] == "moths"
    assert run.options["config"] == {"seed": 1} and run.options["resume"] == "allow"
  assert runs["wandb"][0].options["id"].startswith(tmp_path.name)
  assert not warnings(tmp_path)


def test_a_resumed_run_goes_on_in_the_same_and_says_no_step_twice(tmp_path, monkeypatch):
  runs = fakes(monkeypatch)
  train(tmp_path, (1, 2, 3, 4))
  train(tmp_path, (3, 4, 5), first_step=2)   # the checkpoint was of step 2
  for name, key in (("wandb", "id"), ("trackio", "name")):
    before, after = runs[name]
    assert after.options[key] == before.options[key]
    assert {step for step, _ in after.rows} == {5}
  train(tmp_path, (1,))                      # nothing is gone on from: another run
  assert runs["wandb"][2].options["id"] != runs["wandb"][0].options["id"]
  assert {step for step, _ in runs["wandb"][2].rows} == {1}


def test_what_was_missing_at_the_last_step_is_sent_after_a_resumption(tmp_path):
  sent = dashboard.Sent(tmp_path, "wandb", is_new=True)
  sent.add(4, ["train/loss"])
  again = dashboard.Sent(tmp_path, "wandb", is_new=False)
  assert again.id == sent.id
  assert again.new(4, {"train/loss": 1.0, "dev/loss": 2.0}) == {"dev/loss": 2.0}
  assert not again.new(3, {"dev/loss": 2.0}) and again.new(5, {"dev/loss": 2.0})
  (tmp_path / "dashboards" / "wandb.json").write_text("[1")
  assert dashboard.Sent(tmp_path, "wandb", is_new=False).new(1, {"a": 0.0})


class DiesAtStart(FakeRun):
  def __init__(self, options):
    raise SystemExit("no key\nrun: login")


class DiesInLog(FakeRun):
  def log(self, values, step):
    raise ConnectionError("the server\nis gone.")


class DiesAtEnd(FakeRun):
  def finish(self):
    raise OSError("not all was sent")


@pytest.mark.parametrize(("init", "message"), [
    (DiesAtStart, "SystemExit: no key run: login"),
    (DiesInLog, "ConnectionError: the server is gone"),
    (DiesAtEnd, "OSError: not all was sent")])
def test_one_that_dies_is_said_once_and_the_record_goes_on(tmp_path, monkeypatch, init, message):
  fakes(monkeypatch)
  fake(monkeypatch, "wandb", init)
  train(tmp_path, (1, 2, 3))
  line, = warnings(tmp_path)
  assert f"dashboard wandb: {message}. The run goes on without it" in line
  assert len(metrics.read_rows(metrics.path(tmp_path))) == 6
  assert json.loads((tmp_path / "dashboards" / "trackio.json").read_text())["step"] == 3


def test_a_package_that_cannot_be_imported_is_said(tmp_path):
  said = []
  writer = background.Background(
      "gone", "no_such_package", None, dashboard.Sent(tmp_path, "gone", is_new=True),
      say=said.append)
  writer.write(1, [Metric("a", 0.0)])
  writer.close()
  assert len(said) == 1 and "ModuleNotFoundError: No module named 'no_such_pac" in said[0]


def test_one_that_hangs_holds_nothing_up(tmp_path):
  said, hangs, began = [], threading.Event(), threading.Event()

  class Hangs(dashboard.Dashboard):
    def write(self, step, values):
      began.set()
      hangs.wait()

  writer = background.Background(
      "slow", "json", lambda: Hangs(None), dashboard.Sent(tmp_path, "slow", is_new=True),
      say=said.append, close_seconds=0.05)
  for step in range(3):
    writer.write(step, [Metric("a", 0.0)])   # would wait for ever
  began.wait()
  writer.close()
  assert len(said) == 1 and "did not finish within 0.05 s" in said[0]
  hangs.set()


def test_one_that_takes_nothing_any_more_is_given_up(tmp_path):
  said, hangs = [], threading.Event()
  writer = background.Background(
      "slow", "json", hangs.wait, dashboard.Sent(tmp_path, "slow", is_new=True),
      say=said.append)
  for step in range(3_000):
    writer.write(step, [Metric("a", 0.0)])
  writer.close()
  assert len(said) == 1 and "takes nothing any more" in said[0]
  hangs.set()


def test_names_are_refused_before_anything_runs(monkeypatch):
  monkeypatch.setitem(sys.modules, "wandb", None)
  with pytest.raises(errors.UserError, match=r"wandb, which is not installed: pip install "
                     r"'dnajax\[wandb\]'"):
    start.check(("wandb",))
  with pytest.raises(errors.UserError, match="no dashboard 'wandbb'. Known: tensorboard"):
    start.check(("wandbb",))
  fake(monkeypatch, "wandb")
  start.check(("wandb",))


def test_a_toy_dashboard_is_a_class_and_a_line(tmp_path, monkeypatch):
  rows = []

  class Toy(dashboard.Dashboard):
    package = "json"

    def write(self, step, values):
      rows.append((step, *values))

  module = types.ModuleType("toy_dashboard")
  module.Toy = Toy
  monkeypatch.setitem(sys.modules, "toy_dashboard", module)
  monkeypatch.setitem(registry.of("dashboard").entries, "toy", "toy_dashboard:Toy")
  monkeypatch.setitem(sys.modules, "tensorboardX", None)
  train(tmp_path, (1,), names=("toy",))
  assert rows == [(1, "train/loss"), (1, "dev/loss")] and not warnings(tmp_path)


def events(directory):
  """[(step, tag, value; None: a picture)] of event files, without TensorBoard."""
  from tensorboardX.proto import event_pb2
  found = []
  for path in sorted(directory.glob("events.out.tfevents.*")):
    data = path.read_bytes()
    while data:   # a record: length uint64, its checksum uint32, bytes, their checksum
      size = int.from_bytes(data[:8], "little")
      event = event_pb2.Event.FromString(data[12:12 + size])
      found += [(event.step, value.tag, None if value.HasField("image") else
                 value.simple_value) for value in event.summary.value]
      data = data[16 + size:]
  return found


def test_tensorboard_files_read_back(tmp_path):
  pytest.importorskip("tensorboardX")
  train(tmp_path, (1, 2, 3), names=())
  train(tmp_path, (3, 4), first_step=2, names=())
  found = events(tmp_path / "tensorboard")   # of two files, in any order
  assert sorted(one for one in found if one[2] is not None) == [
      (step, name, step / 2) for step in (1, 2, 3, 4) for name in ("dev/loss", "train/loss")]
  assert sorted(one for one in found if one[2] is None) == [
      (step, "figures/map", None) for step in (3, 4)]
  assert not warnings(tmp_path)


def test_projector_files_are_a_sample_with_its_labels(tmp_path, monkeypatch):
  monkeypatch.setattr(projector, "MOST_POINTS", 5)
  rows = np.arange(14, dtype=np.float32).reshape(7, 2)
  labels = [f"g {i}\t!" for i in range(7)]
  projector.write(tmp_path, {"genera": (rows, labels)})
  path = projector.write(tmp_path, {"few": (rows[:2], labels),
                                    "none": (np.full((2, 2), np.nan), labels)})
  config = path.read_text()
  assert config.count("embeddings {") == 2 and "none" not in config
  assert 'tensor_path: "projector/genera/tensors.tsv"' in config
  folder = tmp_path / "tensorboard" / "projector" / "genera"
  tensors = np.loadtxt(folder / "tensors.tsv", delimiter="\t")
  names = (folder / "metadata.tsv").read_text().splitlines()
  assert tensors.shape == (5, 2) and len(set(names)) == 5
  assert names == [f"g {int(row[0]) // 2} !" for row in tensors]
  assert projector.write(tmp_path / "other", {}) is None and not (tmp_path / "other").exists()


def test_an_evaluation_adds_its_figures(tmp_path):
  pytest.importorskip("tensorboardX")
  mpl_figure = pytest.importorskip("matplotlib.figure")
  said = []
  watching.write(tmp_path, {"run": {"step": 7}, "points": {"m": (np.eye(3), "abc")},
                            "figures": {"m": mpl_figure.Figure((1, 1))}}, say=said.append)
  assert events(tmp_path / "tensorboard") == [(7, "figures/m", None)]
  assert len(said) == 2 and all(line.startswith("wrote ") for line in said)


def test_an_evaluation_survives_what_cannot_be_drawn(tmp_path):
  said = []
  (tmp_path / "tensorboard").write_text("a file where a folder should be")
  watching.write(tmp_path, {"run": {"step": 7}, "points": {"m": (np.eye(3), "abc")}},
                 say=said.append)
  assert len(said) == 1 and said[0].startswith("warning: nothing was added to ")


def test_a_run_survives_one_and_draws_for_the_other(tiny_config, tmp_path, monkeypatch):
  pytest.importorskip("matplotlib")
  values = tiny_config(has_evals=False, total_steps=2, checkpoint__best="",
                       checkpoint__centre_records=0, log__dashboards="wandb,trackio")
  values["evals"] = {"knn": {"name": "knn", "features": "kmer_counts", "k": 2,
                             "key_split": "train", "query_split": "unseen", "label": "genus",
                             "num_neighbors": (1, 3)}}
  runs = fakes(monkeypatch)
  fake(monkeypatch, "wandb", DiesInLog)
  assert run_lib.run(values, tmp_path) == (2, 2)
  assert len(warnings(tmp_path)) == 1
  (alive,) = runs["trackio"]
  assert alive.is_finished
  picture, shape = alive.rows[-1][1].pop("figures/knn")
  assert picture == "image" and shape[2] == 3
  given = {(step, name, value) for step, row in alive.rows for name, value in row.items()}
  assert given == {(row["step"], name, value)
                   for row in metrics.read_rows(metrics.path(tmp_path))
                   for name, value in row.items() if name not in ("step", "time")}
