"""Which references play queries of unknown species, and what is left out with each of them."""

import numpy as np

ENOUGH = 300     # references of species the encoder was not trained on
SHARE = 1 / 4    # of the species that an adaptation does not see


def main_rank(references):
  """Genus; without genera the lowest rank that there is above the species."""
  return next((rank for rank in ("genus", *reversed(references.ranks))
               if rank in references.names), None)


def left_out(references, rank):
  """[N] numbers of what is left out with a query when its name at a rank is asked.

  The taxon of the next lower rank. Species, and where no lower rank has names: only the
  sequence itself.
  """
  lower = references.ranks[references.ranks.index(rank) + 1:]
  lower = [one for one in lower if one != "subfamily"]
  if not lower:
    return np.arange(len(references.ids))
  return references.names[lower[0]]


def draw(references, rank, pool, most, seed):
  """Numbers of references that play queries at a rank; seed: int or a tuple of them."""
  fits = pool & (references.names[rank] >= 0) & (left_out(references, rank) >= 0)
  ids = np.flatnonzero(fits)
  return ids[np.sort(np.random.default_rng((*np.atleast_1d(seed), 1)).permutation(len(ids))[:most])]


def has_others(labels, group):
  """[N] bool, whether a label has members outside the own group."""
  pairs = np.unique(np.stack([labels, group]), axis=1)
  names, counts = np.unique(pairs[0], return_counts=True)
  return counts[np.searchsorted(names, labels)] > 1


def pairs(labels, group, asked):
  """What groups that are asked for have of each label.

  Args:
    labels, group: [N] numbers, -1 = none.
    asked: numbers of groups.

  Returns:
    ({(label, group): number of the pair}, [N] the number of each; -1: none is asked for).
  """
  numbers = np.full(len(labels), -1)
  ids = np.flatnonzero((labels >= 0) & (group >= 0) & np.isin(group, asked))
  found, which = np.unique(np.stack([labels[ids], group[ids]]), axis=1, return_inverse=True)
  numbers[ids] = which.ravel()
  return {pair: n for n, pair in enumerate(zip(*found.tolist(), strict=True))}, numbers


def unseen(references, rank, pool, seed):
  """[N] bool, whole species that may play queries and that no adaptation sees.

  All that may, if they are few; else of every few species one.
  """
  if pool.mean() < SHARE:
    return pool
  group = left_out(references, rank)
  taxa = np.unique(group[pool & (group >= 0)])
  num = int(np.ceil(max(SHARE, min(0.5, ENOUGH / len(pool))) * len(taxa)))
  return pool & np.isin(group, np.random.default_rng((seed, 3)).permutation(taxa)[:num])
