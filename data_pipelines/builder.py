"""What the TFDS builders of this package share: features, shards, order."""

import functools

import numpy as np
import tensorflow_datasets as tfds

# Batches of the spool per shard file, times 4,096 records: TFDS holds the
# examples of one shard in memory while it writes it (about 2 kB each).
_BATCHES_PER_SHARD = 8


class RecordsBuilder(tfds.core.ShardBasedBuilder, skip_registration=True):
  """Records with ids, bases and labels, written in the order of the spool.

  A ShardBasedBuilder, because the writer of GeneratorBasedBuilder keeps a whole
  split in memory when shuffling is off, and from 1 GB on it needs TensorFlow.
  """

  VERSION = tfds.core.Version("1.0.0")
  RANKS = ()
  DESCRIPTION = ""
  # TFDS looks for a list of downloads beside the code, with a package that it does
  # not depend on (importlib_resources). There are no downloads here.
  code_path = None

  def __init__(self, *, spool=None, on_example=lambda split, example: None, **kwargs):
    """spool: finished spool.Spool with the records to write.
    on_example: called with (split, example) for each record when it is written."""
    self._spool, self._on_example = spool, on_example
    super().__init__(file_format="array_record", **kwargs)

  def _info(self):
    features = {"id": tfds.features.Text(), "bases": tfds.features.Text()}
    for rank in self.RANKS:
      features[rank] = tfds.features.Text()
      features[f"{rank}_id"] = tfds.features.Scalar(np.int32)
    return tfds.core.DatasetInfo(
        builder=self, description=self.DESCRIPTION,
        features=tfds.features.FeaturesDict(features), disable_shuffling=True)

  def _shard_iterators_per_split(self, dl_manager):
    del dl_manager
    return {split: [functools.partial(self._generate_examples, split, first)
                    for first in range(0, self._spool.num_batches(split), _BATCHES_PER_SHARD)]
            for split in self._spool.splits}

  def _generate_examples(self, split, first):
    examples = self._spool.examples(split, first, first + _BATCHES_PER_SHARD)
    for key, example in enumerate(examples):
      self._on_example(split, example)
      yield key, example
