"""Queries of known and unknown species, genera and families, cut out of one library."""

import dataclasses

import numpy as np

# Shares of the rows that become queries because they, or all of their taxon, are left out.
SHARES = {"family": 0.05, "genus": 0.05, "species": 0.1, "sequence": 0.1}


def hold_out(references, *, shares=None, seed=0, allowed=None):
  """A library without some families, genera, species and sequences; these as queries.

  Args:
    references: references.References.
    shares: {"family", "genus", "species" or "sequence": share of the rows}.
    seed: of what is left out.
    allowed: [N] bool, what may be asked (references of species an encoder was not trained
      on); None: everything. The rest of what is left out is in neither.

  Returns:
    (References, numbers of the rows that are queries [Q]).
  """
  rng = np.random.default_rng(seed)
  num = len(references.ids)
  left = np.zeros(num, bool)
  for rank, share in (shares or SHARES).items():
    if rank == "sequence":
      left |= rng.random(num) < share
      continue
    if rank not in references.names:
      continue
    column = references.names[rank]
    room = share * num
    for taxon in rng.permutation(np.unique(column[(column >= 0) & ~left])):
      size = ((column == taxon) & ~left).sum()
      if size <= room:   # a taxon that is too large for its share stays
        left |= column == taxon
        room -= size
  is_query = left if allowed is None else left & allowed
  return subset(references, np.flatnonzero(~left)), np.flatnonzero(is_query)


def subset(references, ids):
  """References with these numbers; names keep theirs."""
  return dataclasses.replace(
      references, ids=[references.ids[i] for i in ids],
      sequences=[references.sequences[i] for i in ids],
      names={rank: column[ids] for rank, column in references.names.items()})


def wanted(references, names):
  """True names as numbers of a library's, for `comparison.measure`.

  Args:
    references: references.References, the library.
    names: {rank: [Q] numbers in its vocabularies, -1 = none}.
  """
  out = {}
  for rank, column in references.names.items():
    true = np.asarray(names.get(rank, np.full(_length(names), -1)))
    out[rank] = np.where(true < 0, -1, np.where(np.isin(true, column), true, -2))
  return out


def number(references, lineages):
  """{rank: [Q] numbers} of [{rank: name}]; -2 for a name no reference has, -1 for none."""
  out = {}
  for rank in references.ranks:
    of = {name: i for i, name in enumerate(references.vocabularies[rank])}
    out[rank] = np.array([of.get(one.get(rank, ""), -2) if one.get(rank) else -1
                          for one in lineages])
  return out


def _length(names):
  return len(next(iter(names.values())))


