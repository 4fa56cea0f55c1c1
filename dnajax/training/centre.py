"""What the records of a training are on average, kept in each of its checkpoints."""

import functools

import numpy as np

from dnajax.data import records
from dnajax.inference import encode, strands

_BATCH_SIZE = 256


class Centre:
  """Mean features and 4-mers of some training records."""

  def __init__(self, plan):
    """plan: config.plan.Plan; config.checkpoint.centre_records says how many."""
    self._model, self._mesh, self._split = plan.model, plan.mesh, plan.split
    self._num_records = min(plan.experiment.checkpoint.centre_records,
                            plan.split.num_records)

  def of(self, params):
    """What a checkpoint with these parameters keeps.

    Every process has to ask at the same step.

    Args:
      params: of the train state, which is not changed.

    Returns:
      dict, JSON-serialisable: num_records; "mean", and "cls" if there is such a token,
      [D] means of the pooled features (frame 0, nothing masked); "kmer_counts", see
      `strands.profile`. None if config.checkpoint.centre_records is 0.
    """
    if not self._num_records:
      return None
    bases, tokenizer = self._bases, self._model.tokenizer
    means = {pooling: encode.encoder_features(
        self._model.module, params, bases, tokenizer=tokenizer, pooling=pooling,
        batch_size=min(_BATCH_SIZE, len(bases)), mesh=self._mesh).mean(axis=0, dtype=np.float64)
             for pooling in tokenizer.poolings}
    return {"num_records": len(bases), "kmer_counts": strands.profile(bases).tolist(),
            **{pooling: mean.astype(np.float32).tolist() for pooling, mean in means.items()}}

  @functools.cached_property
  def _bases(self):
    """[n, bp] of some records of the split."""
    return self._split.bases(
        records.fixed_sample(self._split.num_records, self._num_records),
        self._model.tokenizer.length)
