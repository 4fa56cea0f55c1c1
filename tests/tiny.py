"""The :tiny variants of the configs, on the tiny data set, with overrides."""

import importlib
import os
import pathlib
import subprocess
import sys

from dnajax.config import overrides as overrides_lib
from dnajax.training import run
from dnajax.workdir import load, metrics

ROOT = pathlib.Path(__file__).resolve().parent.parent
ONE_DEVICE = {**os.environ, "PYTHONUNBUFFERED": "1",
              "XLA_FLAGS": os.environ.get("DNAJAX_TEST_XLA_FLAGS", "")}


def values(name, data_dir, *, has_evals=True, **overrides):
  """Values of configs/NAME.py:tiny, for `run.run`; a__b=value changes config.a.b."""
  config = importlib.import_module(f"configs.{name}").get_config("tiny").to_dict()
  if not has_evals:
    config["evals"] = {}
  return overrides_lib.apply(config, [("data.dir", str(data_dir)), *(
      (key.replace("__", "."), value) for key, value in overrides.items())])


def recorded(workdir, *, but=()):
  """Everything in metrics.jsonl but times and speeds: sorted [(step, name, value)]."""
  return sorted(
      (row["step"], name, value)
      for row in metrics.read_rows(workdir / "metrics.jsonl")
      for name, value in row.items()
      if name not in ("step", "time", *but) and not name.startswith("speed/"))


def params(workdir, step="latest"):
  """Parameters of a run as a nested dict of arrays."""
  return load.load(workdir, step=step).params


def start(*args, cwd=ROOT, env=None):
  """python -m ... as a process with one device."""
  return subprocess.Popen([sys.executable, "-m", *map(str, args)], cwd=cwd, text=True,
                          env=ONE_DEVICE | (env or {}), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)


def call(*args, cwd=ROOT, env=None):
  """(exit code, stdout, stderr) of python -m ..."""
  process = start(*args, cwd=cwd, env=env)
  out, err = process.communicate(timeout=300)
  return process.returncode, out, err


def cm_gems_values(data_dir, **overrides):
  """The tiny CM-GEMS on tiny barcodes; switches at the third evaluation."""
  return values(
      "cm_gems", data_dir, data__name="simulated_barcodes",
      masking__curriculum__change="absolute", masking__curriculum__threshold=1e9,
      masking__curriculum__relative=False, **overrides)


def switch_steps(workdir):
  """[(step, switch step)] as metrics.jsonl tells it."""
  return [(row["step"], row["curriculum/switch_step"])
          for row in metrics.read_rows(workdir / "metrics.jsonl")
          if "curriculum/switch_step" in row]


def on_mesh(mesh, tiny_config, **changes):
  """Values for a (data, fsdp, tensor); the schedule does not depend on the run's length."""
  data, fsdp, tensor = mesh
  return tiny_config(has_evals=False, mesh__data=data, mesh__fsdp=fsdp, mesh__tensor=tensor,
                     optimizer__schedule__name="constant", checkpoint__every_steps=2,
                     checkpoint__centre_records=0, **changes)


def train_losses(values_of_run, workdir):
  """Trains; the losses it wrote."""
  run.run(values_of_run, workdir)
  return [row["train/loss"] for row in metrics.read_rows(workdir / "metrics.jsonl")
          if "train/loss" in row]
