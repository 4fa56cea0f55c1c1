"""Rows of many numbers as points in a plane: t-SNE, UMAP or PCA."""

import numpy as np

from dnajax.evaluators import libraries

# method -> (the library that has it, name in a figure)
METHODS = {"tsne": ("sklearn", "t-SNE"), "umap": ("umap", "UMAP"),
           "pca": ("sklearn", "PCA")}


def check(method):
  """Refuses a method whose library is not installed, with a UserError."""
  libraries.check(METHODS[method][0])


def project(rows, method, *, seed=0):
  """Puts rows into a plane.

  t-SNE and UMAP with the defaults of their libraries (Euclidean distances; t-SNE
  begins with PCA; the perplexity of 30, or the 15 neighbours of UMAP, are fewer
  for fewer than 91, or 16, rows). Distances in their pictures have no unit.

  Args:
    rows: [N, D] finite, N >= 3.
    method: a name in METHODS.
    seed: of the random choices; the same picture at every call.

  Returns:
    (points [N, 2] float64, names of the two axes with their unit).
  """
  rows = np.asarray(rows, np.float32)
  name = METHODS[method][1]
  axes = tuple(f"{name} {i} (no unit)" for i in (1, 2))
  if not np.ptp(rows, axis=0).any():
    return np.zeros((len(rows), 2)), axes     # all in one place
  if method == "umap":
    import umap
    points = umap.UMAP(n_neighbors=min(15, len(rows) - 1), random_state=seed,
                       n_jobs=1).fit_transform(rows)
  elif method == "tsne":
    from sklearn import manifold
    points = manifold.TSNE(perplexity=min(30.0, (len(rows) - 1) / 3),
                           random_state=seed).fit_transform(rows)
  else:
    from sklearn import decomposition
    pca = decomposition.PCA(2, random_state=seed)
    points = pca.fit_transform(rows)
    axes = tuple(f"principal component {i} ({share:.0%} of the variance)"
                 for i, share in enumerate(pca.explained_variance_ratio_, 1))
  return points.astype(np.float64), axes
