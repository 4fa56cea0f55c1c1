"""Input pipeline: records per second delivered as device batches."""

import itertools
import time

import grain
import jax
import numpy as np

from dnajax import bases as base_codes
from dnajax import config as config_lib
from dnajax import partitioning
from dnajax.data import records
from dnajax.training import run

_NUM_BATCHES = 200
_NUM_REFERENCE = 4_000  # records; the reference is slow


def measure(config, *, rounds):
  """Times training batches of a config's data set, and a plain reference.

  The reference is Grain over the TFDS source with a Python function per record.

  Args:
    config: ConfigDict; its data set is generated if it can be.
    rounds: measurements of each figure.

  Returns:
    dict of figures.
  """
  derived = config_lib.derive(config)
  mesh = partitioning.make_mesh(config.mesh)
  directory = run.data_directory(config)
  before = time.perf_counter()
  split = records.open_split(directory, config.data.split)
  split.bases(np.arange(1), 8)
  unpack = time.perf_counter() - before
  ours, reference = [], []
  for turn in range(rounds):
    ours.append(_our_rate(config, derived, mesh, split, turn))
    reference.append(_reference_rate(config, derived, directory))
  figures = {
      "data set": f"{config.data.name}/{config.data.split}",
      "records": split.num_records, "base pairs per row": derived.read_length,
      "batch_size": config.batch_size,
      "seconds to open (unpack columns if first)": unpack,
      "records/s as device batches": float(np.median(ours)),
      "reference: records/s, Grain and TFDS per record":
          float(np.median(reference))}
  figures["ratio"] = (figures["records/s as device batches"]
                      / figures["reference: records/s, Grain and TFDS per record"])
  return figures


def _our_rate(config, derived, mesh, split, turn):
  batches = run.make_batches(config, derived, mesh, split, turn * _NUM_BATCHES)
  jax.block_until_ready(next(batches))
  before = time.perf_counter()
  for batch in itertools.islice(batches, _NUM_BATCHES):
    jax.block_until_ready(batch)
  return _NUM_BATCHES * config.batch_size / (time.perf_counter() - before)


def _reference_rate(config, derived, directory):
  import tensorflow_datasets as tfds

  source = tfds.builder_from_directory(directory).as_data_source(config.data.split)

  def encode(record):
    return base_codes.encode_batch([record["bases"]], derived.read_length)[0]

  data = (grain.MapDataset.source(source).seed(config.seed).shuffle().repeat()
          .map(encode).batch(config.batch_size).to_iter_dataset())
  num_batches = max(1, _NUM_REFERENCE // config.batch_size)
  stream = iter(data)
  jax.block_until_ready(jax.device_put(next(stream)))
  before = time.perf_counter()
  for batch in itertools.islice(stream, num_batches):
    jax.block_until_ready(jax.device_put(batch))
  return num_batches * config.batch_size / (time.perf_counter() - before)
