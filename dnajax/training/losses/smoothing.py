"""Label smoothing, evenly or among the labels with the same parent in a taxonomy."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from dnajax.models import heads


def cross_entropy(logits: Float[Array, "B C"], labels: Int[Array, "B"], *, share=0.0,
                  is_sibling: Bool[Array, "B C"] | None = None) -> Float[Array, "B"]:
  """Cross-entropy with labels that are not quite certain, nats.

  Args:
    logits: of the labels.
    labels: the right ones, 0..C-1.
    share: of the probability, divided evenly among the siblings, the right label among
      them (Szegedy et al. 2016, section 7).
    is_sibling: labels that share it; None for all.
  """
  nats = heads.cross_entropy(logits, labels)
  if not share:
    return nats
  nats_of_siblings = jax.nn.logsumexp(logits, axis=1) - jnp.mean(
      logits, axis=1, where=is_sibling)
  return (1 - share) * nats + share * nats_of_siblings


def siblings(parents: Int[Array, "C"], labels: Int[Array, "B"]) -> Bool[Array, "B C"]:
  """Which labels have the parent of each of the given ones; all if it has none.

  Args:
    parents: parent of each label, -1 = none.
    labels: 0..C-1.
  """
  of_labels = parents[labels][:, None]
  return (of_labels == parents) | (of_labels < 0)


def parents(children, above, num_children):
  """The parent of every child: the label that most of its records have at a higher rank.

  Args:
    children: [N] label of each record, -1 = none.
    above: [N] its label at the higher rank, -1 = none.
    num_children: C.

  Returns:
    [C] int32, -1 for a child that no record gives a parent.
  """
  is_known = (children >= 0) & (above >= 0)
  pairs, counts = np.unique(np.stack([children, above])[:, is_known], axis=1,
                            return_counts=True)
  found = np.full(num_children, -1, np.int32)
  order = np.lexsort((-pairs[1], counts))  # the most frequent is written last
  for child, parent in pairs[:, order].T:
    found[child] = parent
  return found
