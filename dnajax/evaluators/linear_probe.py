"""Linear probe: how much a linear classifier reads off frozen features.

Species in a closed world: trained on one split, asked about another that has the
same species, as in the BarcodeBERT paper. The recipes are in `linear_recipes`.
"""

import dataclasses
import functools
from typing import Literal

import numpy as np

from dnajax.evaluators import base, labelled, libraries, linear_recipes, scores
from dnajax.shell import errors, metric

# Of the further numbers of a recipe, those with a unit.
_UNITS = {"valid_accuracy": "share", "train_loss": "nats"}


@dataclasses.dataclass(frozen=True)
class LinearProbe(base.Evaluator):
  """Labels of the test records by a linear classifier trained on frozen features."""
  label: str                # any rank of the data set
  features: Literal["encoder", "kmer_counts", "majority"] = "encoder"  # counts: frequencies
  train_split: str = "train"  # split to train on
  valid_split: str = "valid"  # split to choose C on; read only if there are several C
  test_split: str = "test"    # split that is asked
  k: int = 6                # letters per k-mer of kmer_counts
  recipe: Literal["logistic", "sgd"] = "logistic"
  C: tuple[float, ...] = (0.01, 0.1, 1.0, 10.0)  # logistic: inverse penalties to try
  max_iterations: int = 100   # logistic: of L-BFGS, for each C
  learning_rate: float = 1.0  # sgd
  momentum: float = 0.95      # sgd
  weight_decay: float = 1e-9  # sgd
  num_epochs: int = 200       # sgd
  sgd_batch_size: int = 1024  # sgd: rows per update
  seed: int = 0               # sgd: of the order of the records
  exclude_shared: bool = False  # leave out test records whose sequence was trained on
  max_train: int = 0        # the first n of a fixed permutation; 0: all
  max_valid: int = 0        # the same of valid_split
  max_test: int = 0         # the same of test_split
  batch_size: int = 256     # rows per step of the encoder

  def check(self, setup):
    """What no value may be, whatever the data."""
    del setup
    yield from base.at_least(
        self, k=1, max_iterations=1, num_epochs=1, sgd_batch_size=1, seed=0, max_train=0,
        max_valid=0, max_test=0, batch_size=1)
    if not self.C or min(self.C) <= 0:
      yield "C", "one number or more, all above 0"

  @property
  def splits(self):
    """Without that to choose C on if there is nothing to choose."""
    return tuple(name for name in super().splits
                 if name != self.valid_split or len(self.C) > 1)

  @property
  def task(self):
    """The same for all features."""
    return (f"{self.label} linear probe ({self.recipe}), {self.train_split} → "
            f"{self.test_split}")

  @property
  def baseline(self):
    """What answers, if no encoder does."""
    return labelled.baseline(self.features, self.k)

  def asks_untrained(self, evals):
    """If the features are the encoder's."""
    return self.features == "encoder"

  def build(self, context):
    """A `Runner`; UserError also if the training records have only one label, the k-mer
    frequencies would be too large, or scikit-learn is absent."""
    names = ["train", "test"]
    if self.recipe == "logistic" and self.features != "majority":
      libraries.check("sklearn", " Or use recipe='sgd'.")
      names += ["valid"] * (len(self.C) > 1)
    sides = {name: labelled.read(context, getattr(self, f"{name}_split"), self.label,
                                 getattr(self, f"max_{name}")) for name in names}
    if len(np.unique(sides["train"].labels)) < 2:
      raise errors.UserError(
          f"All records of split {self.train_split!r} have the same {self.label}: there is "
          "nothing to probe. Choose another label or split in config.evals.")
    if self.features == "kmer_counts":
      labelled.check_dense(sum(len(side.ids) for side in sides.values()), self.k)
    sides["test"], num_shared = labelled.split_shared(
        sides["test"], sides["train"], exclude=self.exclude_shared)
    rows_of = functools.partial(labelled.rows, context, kind=self.features, k=self.k,
                                batch_size=self.batch_size)
    if self.features == "majority":
      rows_of = lambda params, side: np.zeros((len(side.ids), 0), np.float32)
    return Runner(
        rows_of, sides, functools.partial(_fit, self, sides), num_shared=num_shared,
        protocol=_protocol(self, names, context.length) + labelled.shared_in_words(
            num_shared, "test records", "training record"))


class Runner:
  """Labels of the test records by a classifier trained on features."""

  metrics = scores.CLASSIFICATION

  def __init__(self, rows_of, sides, fit, *, protocol="linear probe", num_shared=0):
    """rows_of: (params, side) -> [N, D].
    sides: {"train", "test", and if needed "valid": Labelled}.
    fit: ({side: [N, D]}) -> (predicted [Q], {further metric: value}).
    num_shared: test records whose sequence is also a training record, reported."""
    self._rows_of, self._sides, self._fit = rows_of, sides, fit
    self._num_shared = num_shared
    self.protocol, self.is_right = protocol, None

  def run(self, params):
    """Yields Metrics; scores are NaN if a feature is not finite or the training
    diverged."""
    rows = {name: self._rows_of(params, side) for name, side in self._sides.items()}
    predicted, more = None, {}
    if all(np.isfinite(part).all() for part in rows.values()):
      predicted, more = self._fit(rows)
    train, test = self._sides["train"], self._sides["test"]
    self.is_right = None if predicted is None else predicted == test.labels
    yield from scores.classification(test.labels, predicted)
    for name, value in more.items():
      yield metric.Metric(name, value, _UNITS.get(name, ""), is_shown=False)
    yield from metric.counts({
        "num_records": len(test.labels), "num_train": len(train.labels),
        "num_labels": len(np.unique(train.labels)),
        "num_unknown_labels": len(np.setdiff1d(test.labels, train.labels)),
        "num_shared": self._num_shared})


def _fit(spec, sides, rows):
  """The recipe of the part on these features."""
  labels = sides["train"].labels
  if spec.features == "majority":
    return np.full(len(rows["test"]), scores.majority(labels)), {}
  if spec.recipe == "sgd":
    return linear_recipes.sgd(
        rows["train"], labels, rows["test"], learning_rate=spec.learning_rate,
        momentum=spec.momentum, weight_decay=spec.weight_decay,
        num_epochs=spec.num_epochs, batch_size=spec.sgd_batch_size, seed=spec.seed)
  valid = sides.get("valid")
  return linear_recipes.logistic(
      rows["train"], labels, rows.get("valid"), valid and valid.labels,
      rows["test"], strengths=spec.C, max_iterations=spec.max_iterations)


def _protocol(spec, names, max_length):
  """One sentence that says how the numbers came about."""
  some = "".join(f", {getattr(spec, f'max_{name}'):,} {name} records at most"
                 for name in names if getattr(spec, f"max_{name}"))
  if spec.exclude_shared:
    some += ", without test records whose sequence is also a training record"
  asked = (f"{spec.label} of split {spec.test_split} from split {spec.train_split}{some}; "
           "labels absent from the training records count as wrong")
  if spec.features == "majority":
    return f"the most frequent label of the training records for every record; {asked}"
  if spec.recipe == "sgd":
    how = (f"softmax regression by SGD, learning rate {spec.learning_rate:g}, momentum "
           f"{spec.momentum:g}, weight decay {spec.weight_decay:g}, {spec.num_epochs} epochs, "
           f"batch {spec.sgd_batch_size}, seed {spec.seed}; one mean and standard deviation "
           "for all features")
  else:
    chosen = (f"chosen on split {spec.valid_split} among {', '.join(map('{:g}'.format, spec.C))}"
              if len(spec.C) > 1 else f"{spec.C[0]:g}")
    how = (f"logistic regression, L2 penalty with C {chosen}, at most "
           f"{spec.max_iterations} iterations of L-BFGS; features standardised one by one")
  return (f"{how}; {asked}; features: "
          f"{labelled.describe(spec.features, spec.k, max_length)}")
