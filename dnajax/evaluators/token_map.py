"""Which k-mers have similar vectors in the encoder's token table?

After pretraining on overlapping 6-mers the two central nucleotides decide where
a token lies (RandomMask, Fig. 6; papers: section 4).
"""

import dataclasses
from typing import Literal

import jax
import numpy as np

from dnajax.evaluators import base, projection, scores
from dnajax.inference import encode as features
from dnajax.inference import neighbors
from dnajax.shell import errors, metric


@dataclasses.dataclass(frozen=True)
class TokenMap(base.Evaluator):
  """Where the vectors of the k-mers lie, and whom they lie beside."""
  method: Literal["tsne", "umap", "pca"] = "tsne"  # see `projection.project`
  max_tokens: int = 4_096  # in the picture, chosen at random; the numbers are of all
  seed: int = 0            # of the picture

  def check(self, setup):
    """What no value may be."""
    del setup
    yield from base.at_least(self, max_tokens=3, seed=0)

  @property
  def task(self):
    """Names the method."""
    return f"{projection.METHODS[self.method][1]} of the token table"

  def build(self, context):
    """A `Runner`; UserError also if a library is absent, or k is 1."""
    projection.check(self.method)
    if context.model.tokenizer.vocabulary.k < 2:
      raise errors.UserError(
          "config.evals.*.name='token_map' needs config.tokens.k >= 2: a k-mer of one "
          "nucleotide has no two central ones. Take the entry out of config.evals.")
    ids, words = letters(context.model.tokenizer.vocabulary)

    def table(params):
      whole = features.on_devices(params["encoder"]["word"], context.mesh)   # [V, D]
      return np.asarray(jax.device_get(whole), np.float32)[ids]

    return Runner(
        table, words, method=self.method, max_tokens=self.max_tokens, seed=self.seed,
        protocol=(
            f"vectors of the {len(ids):,} k-mers of A, C, G and T in the encoder's token "
            "table; same centre, same ends: share of k-mers whose nearest other one by cosine "
            "has the same two central, the same two outer nucleotides; by chance: of another "
            f"k-mer drawn at random; picture: {projection.METHODS[self.method][1]}, library "
            f"defaults, {min(len(ids), self.max_tokens):,} k-mers"))


def letters(vocabulary):
  """The k-mers of A, C, G and T: (ids [n] int, letters [n, k] of str).

  Special tokens and k-mers with an N are left out.
  """
  names = vocabulary.names()
  ids = [i for i in range(vocabulary.num_special, len(names)) if "N" not in names[i]]
  return np.array(ids), np.array([list(names[i]) for i in ids])


def parts(words):
  """The two central and the two outer nucleotides of k-mers.

  For odd k the central ones are the middle one and the one behind it.

  Args:
    words: [n, k] of one-letter str, k >= 2.

  Returns:
    {"centre": [n] of two-letter str, "ends": the same}.
  """
  k = words.shape[1]
  first = (k - 1) // 2
  return {"centre": np.char.add(words[:, first], words[:, first + 1]),
          "ends": np.char.add(words[:, 0], words[:, -1])}


def nearest_other(rows):
  """The other row with the largest cosine to each. [n, D] -> [n] int."""
  ids, _ = neighbors.nearest(rows, rows, 1, own=np.arange(len(rows)))
  return ids[:, 0]


class Runner:
  """Where the vectors of the k-mers lie, and whom they lie beside."""

  def __init__(self, table, words, *, method="tsne", max_tokens=4_096, seed=0,
               protocol="a picture of the token table"):
    """table: params -> [n, D], vectors of the k-mers.
    words: [n, k] letters.
    method, seed: see `projection.project`.
    max_tokens: in the picture, chosen at random; the numbers are of all."""
    self._table, self._classes = table, parts(words)
    self._method, self._seed, self.protocol = method, seed, protocol
    order = np.random.default_rng(seed).permutation(len(words))
    self._shown = np.sort(order[:max_tokens])
    self._seen = None

  def run(self, params):
    """Yields Metrics; NaN if the table is not finite."""
    rows = self._table(params)
    self._seen = neighbor = None
    if np.isfinite(rows).all():
      neighbor = nearest_other(rows)
      self._seen = projection.project(rows[self._shown], self._method, seed=self._seed)
    for name, classes in self._classes.items():
      yield from metric.shares({
          f"same_{name}": (np.nan if neighbor is None
                           else float((classes[neighbor] == classes).mean())),
          f"same_{name}_by_chance": scores.agreement_by_chance(classes)})
    yield from metric.counts({"num_tokens": len(rows)})

  def figures(self):
    """{"token_map": Figure} of the last run; empty before it."""
    from dnajax.evaluators import figures
    if self._seen is None:
      return {}
    points, axes = self._seen
    return {"token_map": figures.centre_map(points, self._classes["centre"][self._shown], axes)}
