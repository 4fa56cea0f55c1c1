"""Simulated CPU devices, a compilation cache, parsed flags."""

import functools
import os
import pathlib

os.environ["JAX_PLATFORMS"] = "cpu"
# Tests compile much and compute little: the compiler need not try hard.
os.environ["DNAJAX_TEST_XLA_FLAGS"] = (
    "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true")
os.environ["XLA_FLAGS"] = " ".join([
    os.environ.get("XLA_FLAGS", ""), os.environ["DNAJAX_TEST_XLA_FLAGS"]])
os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR",
    str(pathlib.Path(__file__).resolve().parent.parent / ".jax_cache"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.2")

import jax
import jaxtyping
import pytest
from absl import flags
from jax.extend import backend

# Shapes in signatures are checked wherever the tests go.
jaxtyping.install_import_hook(
    [f"dnajax.{folder}" for folder in ("tokens", "masking", "models", "inference", "data",
                                       "training.losses", "training.objectives")],
    "beartype.beartype")

if not flags.FLAGS.is_parsed():
  flags.FLAGS(["pytest"], known_only=True)  # Grain's workers read a flag


@pytest.fixture(scope="module", autouse=True)
def _devices(request):
  """As many simulated devices as a file asks for by NUM_DEVICES, else one, for which programs
  compile twice as fast as for eight."""
  wanted = getattr(request.module, "NUM_DEVICES", 1)
  if jax.device_count() != wanted:
    backend.clear_backends()
    jax.config.update("jax_num_cpu_devices", wanted)


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory):
  """Data directory with a small simulated_barcodes, 8 genera of 80 bp."""
  from data_pipelines import prepare

  directory = tmp_path_factory.mktemp("data")
  prepare.prepare_simulated(
      str(directory), show_progress=False, orders=2, families=2, genera=2,
      species=4, unseen_species=1, individuals=8, labelled=3, length=80)
  return directory


@pytest.fixture
def tiny_config(tiny_data):
  """Returns (**overrides) -> values of the tiny BarcodeMAE config on tiny_data."""
  import tiny
  return functools.partial(tiny.values, "barcodemae", tiny_data)


@pytest.fixture(scope="session")
def tiny_workdir(tiny_data, tmp_path_factory):
  """Workdir of the tiny BarcodeMAE with random parameters; to read only."""
  import tiny
  import untrained
  return untrained.save(
      tiny.values("barcodemae", tiny_data, has_evals=False, checkpoint__best=""),
      tmp_path_factory.mktemp("runs") / "tiny")
