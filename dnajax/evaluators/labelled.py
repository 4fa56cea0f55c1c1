"""Labelled records of a split and their features, computed once for all evaluators."""

import dataclasses

import numpy as np

from dnajax import errors
from dnajax.data import records
from dnajax.evaluators import features

# Subsets are the same in every run, whatever its seed: a comparison of seeds
# must not also be a comparison of test sets.
_SUBSET_SEED = 0


@dataclasses.dataclass(frozen=True, eq=False)
class Labelled:
  """Records of a split that have a label, or a fixed choice of them."""
  split: str
  ids: np.ndarray      # [N] int, record numbers, increasing
  bases: np.ndarray    # [N, bp] uint8 base codes
  labels: np.ndarray   # [N] int32, none is -1
  num_unlabelled: int  # records of the split without the label


def read(context, split, label, most=0):
  """Reads the labelled records of a split.

  Args:
    context: base.Context.
    split: name of the split.
    label: rank, a column of the data set; records with -1 are left out.
    most: if not 0, the first n of a fixed permutation of the labelled records,
      the same in every run.

  Returns:
    Labelled, in the order of the split.

  Raises:
    UserError: no such split or label, or no record has one.
  """
  data = context.config.data
  directory = records.find(data.dir, data.name)
  source = records.open_split(directory, split)
  labels = np.asarray(source.labels(label))
  ids = np.flatnonzero(labels >= 0)
  num_unlabelled = len(labels) - len(ids)
  if not len(ids):
    raise errors.UserError(
        f"No record of split {split!r} in {directory} has a {label}. "
        "Choose another label or split in config.evals.")
  if most and most < len(ids):
    order = np.random.default_rng(_SUBSET_SEED).permutation(len(ids))
    ids = ids[np.sort(order[:most])]
  return Labelled(split, ids, source.bases(ids, data.max_length), labels[ids],
                  num_unlabelled)


def encode(context, params, side, *, batch_size):
  """Pooled encoder output of the records, [N, D] float32.

  Several evaluators that ask for the same records under the same parameters
  share one computation.

  Args:
    context: base.Context, whose `cache` holds the last result of each side.
    params: parameters of the model.
    side: Labelled.
    batch_size: rows per step.
  """
  key = ("encoder", side.split, len(side.ids), side.ids.tobytes())
  known = context.cache.get(key)
  if known is None or known[0] is not params:
    rows = features.encoder_features(
        context.model, params, side.bases, vocabulary=context.derived.vocabulary,
        stride=context.config.tokens.stride, batch_size=batch_size, mesh=context.mesh)
    context.cache[key] = known = (params, rows)
  return known[1]
