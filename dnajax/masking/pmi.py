"""Ranks of k-mers by normalised PMI, and how the selections compare them.

A rank is 1 for the k-mer with the highest PMI and 4^k for the one with the
lowest. `UNRANKED` marks ids that are no plain k-mer (special tokens, k-mers
with an N): the published table answers 0 to anything that it does not know.
"""

import functools
import json
import zipfile

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, Integer

from dnajax.masking import k_lowest, neighbours
from dnajax.shell import errors, files
from dnajax.tokens import bases

UNRANKED = 0
TIE_BITS = 3  # of `local_best`: up to eight offsets
_REMEDY = "Make the table again with python -m data_pipelines.npmi."
_ARRAYS = ("kmers", "score", "rank", "count", "provenance")


def load_ranks(path, vocabulary):
  """Ranks of a vocabulary's ids, from a table that `data_pipelines.npmi` wrote.

  Args:
    path: .npz with arrays kmers, score, rank and count, [4^k] each, and a JSON
      string provenance. Read without pickle.
    vocabulary: says which id stands for which k-mer, through `names()` and
      `num_special`; any order of the k-mers.

  Returns:
    [V] int32, the rank of each id, `UNRANKED` where the id is no plain k-mer.

  Raises:
    UserError: the file is missing or no such table, is for another k, lacks a
      k-mer, or its ranks are not 1..4^k.
  """
  arrays = _read(path)
  names = vocabulary.names()
  is_kmer = [i >= vocabulary.num_special and set(name) <= set(bases.ALPHABET)
             for i, name in enumerate(names)]
  num_kmers, k = sum(is_kmer), len(names[vocabulary.num_special])
  if len(arrays["rank"]) != len(arrays["kmers"]):
    raise errors.UserError(
        f"{path}: the array 'rank' has {len(arrays['rank'])} entries for "
        f"{len(arrays['kmers'])} k-mers. {_REMEDY}")
  rank_of = dict(zip((str(kmer).upper() for kmer in arrays["kmers"]),
                     arrays["rank"].tolist(), strict=True))
  lengths = sorted({len(kmer) for kmer in rank_of})
  if lengths != [k]:
    raise errors.UserError(
        f"{path} holds k-mers of {' and '.join(map(str, lengths)) or 'no'} "
        f"letters, but tokens.k={k}. Make the table with --k={k}, or change "
        "tokens.k.")
  missing = [name for name, is_plain in zip(names, is_kmer, strict=True)
             if is_plain and name not in rank_of]
  if missing or len(arrays["kmers"]) != num_kmers:
    raise errors.UserError(
        f"{path} holds {len(arrays['kmers'])} k-mers where k={k} has {num_kmers}"
        + (f"; {missing[0]} is missing" if missing else "")
        + f". {_REMEDY}")
  if sorted(rank_of.values()) != list(range(1, num_kmers + 1)):
    raise errors.UserError(
        f"{path}: the array 'rank' is not a ranking 1..{num_kmers} without gaps "
        f"and ties. {_REMEDY}")
  return np.array([rank_of[name] if is_plain else UNRANKED
                   for name, is_plain in zip(names, is_kmer, strict=True)],
                  np.int32)


def read_provenance(path):
  """Where a table's numbers come from, dict; errors as `load_ranks`."""
  try:
    return json.loads(str(_read(path)["provenance"]))
  except json.JSONDecodeError as error:
    raise errors.UserError(
        f"{path}: 'provenance' is not JSON ({error}). {_REMEDY}") from error


def _read(path):
  try:
    with files.path(path).open("rb") as raw, np.load(raw, allow_pickle=False) as file:
      missing = [name for name in _ARRAYS if name not in file.files]
      if not missing:
        return {name: file[name] for name in _ARRAYS}
  except FileNotFoundError as error:
    raise errors.UserError(
        f"There is no PMI table {path}. Make one with python -m "
        f"data_pipelines.npmi --input=genome.fa --output={path}.") from error
  except (OSError, EOFError, TypeError, ValueError, AttributeError, zipfile.BadZipFile) as error:
    raise errors.UserError(
        f"{path} is not a PMI table (.npz): {error}. Make one with python -m "
        "data_pipelines.npmi.") from error
  raise errors.UserError(
      f"{path} lacks the array {missing[0]!r}; a PMI table has "
      f"{', '.join(_ARRAYS)}. Make one with python -m data_pipelines.npmi.")


def token_ranks(
    ranks: Integer[Array, "V"], tokens: Int[Array, "B L"]) -> Integer[Array, "B L"]:
  """The rank of every token; unranked ids count as the worst k-mer.

  Args:
    ranks: of each id, see `load_ranks`.
    tokens: ids.

  Returns:
    1..4^k, of the type of `ranks`.
  """
  table = _replace_unranked(ranks, "worst")
  return jnp.take(table, tokens, mode="clip")


def position_ranks(
    ranks: Integer[Array, "V"], length, *, unranked) -> Integer[Array, "{length}"]:
  """The rank of every position index, read as if it were an id.

  What the public code of GeneMask and CM-GEMS does instead of `token_ranks`:
  it looks up the vocabulary entry whose id is the position, so the ranks do
  not depend on the sequence. Offered to explain results published with it.

  Args:
    ranks: of each id, see `load_ranks`.
    length: L, static.
    unranked: "best" (rank 0, before every k-mer) where the position is the id
      of a special token, as in the code published with GeneMask, or "worst" (the
      rank of the worst k-mer), as in that of CM-GEMS. Positions from V on are
      treated alike.

  Returns:
    Of the type of `ranks`.
  """
  table = _replace_unranked(ranks, unranked)
  outside = table.max() if unranked == "worst" else UNRANKED
  positions = jnp.arange(length)
  inside = jnp.take(table, positions, mode="clip")
  return jnp.where(positions < table.shape[0], inside, outside)


def ranks_of(rank_by, ranks: Integer[Array, "V"], tokens: Int[Array, "B L"], *,
             unranked) -> Integer[Array, "B L"]:
  """Ranks by token or by position, in the smallest type that serves.

  Args:
    rank_by: "token" (`token_ranks`) or "position" (`position_ranks`).
    ranks: of each id, see `load_ranks`.
    tokens: ids.
    unranked: for "position" only.

  Returns:
    uint16 or int32, 0..V, with room for `TIE_BITS` more bits.
  """
  num_ids = ranks.shape[0]
  ranks = jnp.asarray(ranks).astype(k_lowest.small_type((num_ids + 1) << TIE_BITS))
  if rank_by == "token":
    return token_ranks(ranks, tokens)
  return jnp.broadcast_to(
      position_ranks(ranks, tokens.shape[1], unranked=unranked), tokens.shape)


def local_best(rank: Integer[Array, "B L"], is_candidate: Bool[Array, "B L"],
               offsets) -> Integer[Array, "B L"]:
  """The best-ranked candidate among i + o, for every position i.

  Ties go to the offset that comes first in `offsets`.

  Args:
    rank: lower is better; see `ranks_of`.
    is_candidate: what may be chosen.
    offsets: static tuple of at most 2^TIE_BITS ints.

  Returns:
    Of the type of `rank`: the rank, shifted left by TIE_BITS bits, plus
    the index in `offsets` of where it is. One number, so that one minimum finds
    both. The largest number of the type where there is no candidate.
  """
  none = jnp.iinfo(rank.dtype).max
  found = jnp.where(is_candidate, rank << TIE_BITS, none)
  at_offset = neighbours.shifts(found, [-offset for offset in offsets], none)
  return functools.reduce(jnp.minimum, (
      other | rank.dtype.type(i) for i, other in enumerate(at_offset)))


def _replace_unranked(ranks, unranked):
  if unranked not in ("best", "worst"):
    raise ValueError(f"unranked={unranked!r} must be 'best' or 'worst'.")
  ranks = jnp.asarray(ranks)
  if unranked == "best":
    return ranks  # UNRANKED is below every rank
  return jnp.where(ranks == UNRANKED, ranks.max(), ranks)
