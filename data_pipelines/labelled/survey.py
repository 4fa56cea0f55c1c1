"""What has to be known of all tables before the first row can be kept.

How many rows of each class there are decides which training set a row belongs to;
which sequences the other splits hold decides whether it leaks.
"""

import collections

from data_pipelines import exclusion
from dnajax.shell import errors

_REASONS = {"train": "sequence_in_dev_or_test", "test": "sequence_in_train"}


def is_training(split):
  """Whether a split is to be trained on: train, train_0, train_1, ..."""
  return split == "train" or split.startswith("train_")


class Survey:
  """One pass over the tables, where the options need one."""

  def __init__(self, files, options, read):
    """files: list of (split, path). options: ingest.Options. read: as of ingest.fill.

    Raises:
      UserError: the rows of a class of `train` do not divide over the sets, or are
        not as many as the shots say.
    """
    self._options = options
    self._counts = collections.Counter()          # class -> rows of split train
    self._digests = {True: set(), False: set()}   # of training splits, of the others
    deals = options.num_sets > 1 or options.shots
    removes = options.exclude_overlap != "none"
    if options.num_sets > 1 and "train" not in (split for split, _ in files):
      raise errors.UserError(f"--num_sets={options.num_sets} divides split train, and there "
                             "is none: --input=train=FILE.")
    for split, path in files:
      if not removes and not (deals and split == "train"):
        continue
      for row in read((split, path), collections.Counter(), lambda: None):
        self._digests[is_training(split)].add(exclusion.digest(row.bases))
        self._counts[row.label] += split == "train"
    if deals and "train" in (split for split, _ in files):
      self._check_counts([path for split, path in files if split == "train"])

  def _check_counts(self, paths):
    sets, shots = self._options.num_sets, self._options.shots
    for label, count in sorted(self._counts.items()):
      if shots and count and count != sets * shots:
        raise errors.UserError(
            f"{', '.join(paths)}: {count:,} rows of class {label!r}, and {sets} x {shots} "
            "were expected. Fetch the file again, or prepare it without --preset.")
      if count % sets:
        raise errors.UserError(
            f"{', '.join(paths)}: the {count:,} rows of class {label!r} do not divide over "
            f"{sets} sets. Correct --num_sets, or look for dropped or missing rows.")

  def rows_per_set(self, label):
    """How many rows of a class each training set gets."""
    return self._counts[label] // self._options.num_sets

  def reason(self, split, digest):
    """Why a sequence is left out of a split, or None.

    Args:
      split: its name.
      digest: exclusion.digest of the bases.
    """
    wanted = self._options.exclude_overlap
    training = is_training(split)
    if wanted == ("train" if training else "test") and digest in self._digests[not training]:
      return _REASONS[wanted]
    return None


def also_in(split, seen):
  """How many of the different sequences of a split occur in other splits too.

  Args:
    split: name of a split; one for training has no entries.
    seen: {split: set of digests, or a dict of them}, in the order of the splits.

  Returns:
    {"train": count, earlier split that is not for training: count}; "train" is all
    training splits together.
  """
  if is_training(split):
    return {}
  groups = {}
  training = [name for name in seen if is_training(name)]
  if training:
    groups["train"] = set().union(*(seen[name] for name in training))
  others = [name for name in seen if not is_training(name)]
  groups.update((name, set(seen[name])) for name in others[:others.index(split)])
  return {name: len(group.intersection(seen[split])) for name, group in groups.items()}
