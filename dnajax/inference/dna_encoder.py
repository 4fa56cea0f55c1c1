"""A trained encoder as a transformer of scikit-learn."""

import functools

import numpy as np
from sklearn import base
from sklearn.utils import validation

import dnajax
from dnajax.inference import pieces
from dnajax.shell import errors


class DnaEncoder(base.ClassNamePrefixFeaturesOutMixin, base.TransformerMixin,
                 base.BaseEstimator):
  """Sequences -> embeddings, in a `Pipeline` or a `GridSearchCV`.

    make_pipeline(dnajax.DnaEncoder("runs/first"), LogisticRegression()).fit(texts, genera)

  Nothing is learned by `fit`; it reads the checkpoint. The same one is loaded once, however
  often the estimator is cloned. An embedding is NaN where a sequence has no whole k-mer.

  Args:
    workdir, step, pooling, layer, centre, frames, strand, windows: see `dnajax.load`; no
      pooling "tokens", which is no table.
    batch_size: see `inference.embedder.Embedder.stream`.
  """

  def __init__(self, workdir=None, *, step="best", pooling="mean", layer=-1, centre=False,
               frames=1, strand="forward", windows=False, batch_size=None):
    self.workdir = workdir
    self.step = step
    self.pooling = pooling
    self.layer = layer
    self.centre = centre
    self.frames = frames
    self.strand = strand
    self.windows = windows
    self.batch_size = batch_size

  def fit(self, X, y=None):
    """Reads the checkpoint.

    Args:
      X: n texts, or a table with one column of them.
      y: not used.

    Raises:
      UserError: as of `dnajax.load`, or X holds no texts.
    """
    del y
    _column(X)
    embedder = self._embedder()
    self.step_ = embedder.trained.step
    self._n_features_out = embedder.width
    return self

  def transform(self, X):
    """[n, D] float32 of n texts, or of a table with one column of them."""
    validation.check_is_fitted(self)
    return self._embedder().embed(_column(X), batch_size=self.batch_size)

  def _embedder(self):
    if self.workdir is None:
      raise errors.UserError("DnaEncoder needs workdir=DIR, the directory of a training run.")
    if self.pooling == "tokens":
      raise errors.UserError("DnaEncoder gives one row a sequence: pooling is mean, cls or max. "
                             "dnajax.load has pooling='tokens'.")
    return _load(str(self.workdir), step=self.step, pooling=self.pooling, layer=self.layer,
                 centre=self.centre, frames=self.frames, strand=self.strand,
                 windows=self.windows)

  def __sklearn_tags__(self):
    tags = super().__sklearn_tags__()
    tags.input_tags.string = True
    tags.input_tags.one_d_array = True
    tags.input_tags.two_d_array = False
    tags.input_tags.allow_nan = False
    return tags


# Not kept in the estimator, which is cloned and pickled.
@functools.lru_cache(maxsize=8)
def _load(workdir, **options):
  return dnajax.load(workdir, **options)


def _column(X):
  """The list of texts in a list, a column, or a table with one column."""
  if getattr(X, "ndim", 1) == 2:
    if X.shape[1] != 1:
      raise errors.UserError(f"DnaEncoder reads one column of sequences, not {X.shape[1]}: "
                             "choose it with a ColumnTransformer.")
    X = np.asarray(X, object)[:, 0]
  return pieces.texts(X)
