"""Which k-mers have similar vectors in the encoder's token table?

After pretraining on overlapping 6-mers the two central nucleotides decide where
a token lies (RandomMask, Fig. 6; papers: section 4).
"""

import jax
import numpy as np

from dnajax import errors
from dnajax.evaluators import features, neighbors, projection, scores, specs

DEFAULTS = dict(method="tsne", max_tokens=4_096, seed=0)

_WANTED = {"max_tokens": specs.at_least(3), "seed": specs.at_least(0)}


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


class TokenMap:
  """Where the vectors of the k-mers lie, and whom they lie beside."""

  def __init__(self, table, words, *, method="tsne", max_tokens=4_096, seed=0):
    """table: params -> [n, D], vectors of the k-mers.
    words: [n, k] letters.
    method, seed: see `projection.project`.
    max_tokens: in the picture, chosen at random; the numbers are of all."""
    self._table, self._classes = table, parts(words)
    self._method, self._seed = method, seed
    order = np.random.default_rng(seed).permutation(len(words))
    self._shown = np.sort(order[:max_tokens])
    self._seen = None

  def run(self, params):
    """Yields (metric name, value); NaN if the table is not finite."""
    rows = self._table(params)
    self._seen = neighbor = None
    if np.isfinite(rows).all():
      neighbor = nearest_other(rows)
      self._seen = projection.project(rows[self._shown], self._method, seed=self._seed)
    for name, classes in self._classes.items():
      yield f"same_{name}", (float("nan") if neighbor is None
                             else float((classes[neighbor] == classes).mean()))
      yield f"same_{name}_by_chance", scores.agreement_by_chance(classes)
    yield "num_tokens", len(rows)

  def figures(self):
    """{"token_map": Figure} of the last run; empty before it."""
    from dnajax.evaluators import figures
    if self._seen is None:
      return {}
    points, axes = self._seen
    return {"token_map": figures.centre_map(points, self._classes["centre"][self._shown], axes)}


def from_config(spec, context):
  """The evaluator of one entry of config.evals.

  Args:
    spec: options, see DEFAULTS. method: a name in projection.METHODS;
      max_tokens: at most so many k-mers in the picture; seed: of the picture.
    context: base.Context.

  Returns:
    A `TokenMap`.

  Raises:
    UserError: an option is wrong, a library is absent, or k is 1.
  """
  chosen = specs.complete(spec, optional=DEFAULTS, wanted=_WANTED)
  projection.check(chosen.method)
  if context.config.tokens.k < 2:
    raise errors.UserError(
        "config.evals.*.type='token_map' needs config.tokens.k >= 2: a k-mer of one "
        "nucleotide has no two central ones. Take the entry out of config.evals.")
  ids, words = letters(context.derived.vocabulary)

  def table(params):
    whole = features.on_devices(params["encoder"]["word"], context.mesh)   # [V, D]
    return np.asarray(jax.device_get(whole), np.float32)[ids]

  out = TokenMap(table, words, method=chosen.method, max_tokens=chosen.max_tokens,
                 seed=chosen.seed)
  name = projection.METHODS[chosen.method][1]
  out.task = f"{name} of the token table"
  out.protocol = (
      f"vectors of the {len(ids):,} k-mers of A, C, G and T in the encoder's token table; same "
      "centre, same ends: share of k-mers whose nearest other one by cosine has the same two "
      "central, the same two outer nucleotides; by chance: of another k-mer drawn at random; "
      f"picture: {name}, library defaults, {min(len(ids), chosen.max_tokens):,} k-mers")
  return out
