"""Input pipeline: records per second delivered as device batches."""

import itertools
import time

import grain
import jax
import numpy as np

from dnajax.config import plan as plan_lib
from dnajax.tokens import bases as base_codes
from dnajax.training import input as input_lib

_NUM_BATCHES = 200
_NUM_REFERENCE = 4_000  # records; the reference is slow


def measure(values, *, rounds):
  """Times training batches of a config's data set, and a plain reference.

  The reference is Grain over the TFDS source with a Python function per record.

  Args:
    values: of a config; its data set is generated if it can be.
    rounds: measurements of each figure.

  Returns:
    dict of figures.
  """
  plan = plan_lib.make(values)
  before = time.perf_counter()
  plan.split.bases(np.arange(1), 8)
  unpack = time.perf_counter() - before
  ours, reference = [], []
  for turn in range(rounds):
    ours.append(_our_rate(plan, turn))
    reference.append(_reference_rate(plan))
  figures = {
      "data set": f"{plan.experiment.data.name}/{plan.experiment.split}",
      "records": plan.split.num_records, "base pairs per row": plan.tokenizer.read_length,
      "batch_size": plan.experiment.batch_size,
      "seconds to open (unpack columns if first)": unpack,
      "records/s as device batches": float(np.median(ours)),
      "reference: records/s, Grain and TFDS per record":
          float(np.median(reference))}
  figures["ratio"] = (figures["records/s as device batches"]
                      / figures["reference: records/s, Grain and TFDS per record"])
  return figures


def _our_rate(plan, turn):
  batches = input_lib.batches(plan, turn * _NUM_BATCHES)
  jax.block_until_ready(next(batches))
  before = time.perf_counter()
  for batch in itertools.islice(batches, _NUM_BATCHES):
    jax.block_until_ready(batch)
  return _NUM_BATCHES * plan.experiment.batch_size / (time.perf_counter() - before)


def _reference_rate(plan):
  import tensorflow_datasets as tfds

  size, length = plan.experiment.batch_size, plan.tokenizer.read_length
  source = tfds.builder_from_directory(plan.split.directory).as_data_source(plan.split.name)

  def encode(record):
    return base_codes.encode_batch([record["bases"]], length)[0]

  data = (grain.MapDataset.source(source).seed(plan.experiment.seed).shuffle().repeat()
          .map(encode).batch(size).to_iter_dataset())
  num_batches = max(1, _NUM_REFERENCE // size)
  stream = iter(data)
  jax.block_until_ready(jax.device_put(next(stream)))
  before = time.perf_counter()
  for batch in itertools.islice(stream, num_batches):
    jax.block_until_ready(jax.device_put(batch))
  return num_batches * size / (time.perf_counter() - before)
