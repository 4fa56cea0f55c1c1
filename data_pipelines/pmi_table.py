"""Normalised PMI of k-mers: formulas, the table on disk, and the published one.

Pointwise mutual information of a k-mer: how much more often it occurs than the best
chain of shorter n-grams would have it,

  PMI(w) = ln p(w) - max over segmentations of w of the sum of ln p(piece),

times a discount ln f / (ln f + ln min_count) that draws the scores of rare k-mers
towards zero, f being the count of w (GeneMask, arXiv 2307.15933).
"""

import dataclasses
import json

import numpy as np

from data_pipelines import ngrams, tables
from dnajax.shell import errors, files

DISCOUNTS = ("count", "none")


@dataclasses.dataclass(frozen=True)
class Method:
  """longest_piece: letters; the whole k-mer is never a piece.
  denominator: p(n-gram) = count / (denominator * number of bases)."""
  longest_piece: int
  denominator: int


# `published` follows what the numbers of GeneMask's table say: probabilities divided by
# twice the number of bases at every n, and no piece longer than 2. `exact` is the
# definition: all segmentations, p = f / N.
METHODS = {"published": Method(2, 2), "exact": Method(ngrams.LONGEST, 1)}


@dataclasses.dataclass(frozen=True)
class Table:
  """Every k-mer, in ACGT order.

  kmers: [4**k] text. score: [4**k] float, -inf below the least count. rank: [4**k]
  int, 1 = highest score; equal scores in the order of the k-mers, so that all ranks
  differ and k-mers below the least count come last. count: [4**k] int.
  provenance: dict.
  """
  kmers: np.ndarray
  score: np.ndarray
  rank: np.ndarray
  count: np.ndarray
  provenance: dict


def make(counts, k, *, method, min_count, discount="count", provenance=None):
  """The table of all k-mers.

  Args:
    counts: {n: [4**n] counts} for n = 1..k.
    k: length of the k-mers.
    method: name in METHODS.
    min_count: k-mers seen less often get score -inf; also the constant of the discount.
    discount: one of DISCOUNTS.
    provenance: what to keep about the source.

  Returns:
    Table.

  Raises:
    UserError: no k-mer has a score.
  """
  chosen, f = METHODS[method], counts[k]
  is_known = f >= max(min_count, 1)
  if not is_known.any():
    raise errors.UserError(
        f"No {k}-mer of A, C, G and T occurs {min_count} times in the input (the most "
        f"frequent one: {f.max()}). Give more DNA or a lower --min_count.")
  pmi = least_pmi(counts, k, longest_piece=chosen.longest_piece,
                  denominator=chosen.denominator)
  score = np.full(len(f), -np.inf)
  score[is_known] = pmi[is_known]
  if discount == "count":
    score[is_known] *= discount_of(f[is_known], min_count)
  if (f == ngrams.reverse_complement(f)).all():
    # Both strands were counted. Without the rounding errors equal scores are ties.
    score = (score + ngrams.reverse_complement(score)) / 2
  return Table(kmers=kmer_names(k), score=score, rank=rank(score), count=f,
               provenance={"k": k, "method": method, "min_count": min_count,
                           "discount": discount, "num_bases": int(counts[1].sum()),
                           "num_kmers": int(f.sum()), **(provenance or {})})


def write_own(folder, sequences, *, ks=(3, 4, 5, 6), min_count=20):
  """Writes npmi_k<k>.npz for each k, counted from a data set's own sequences.

  Args:
    folder: a pathlib.Path.
    sequences: iterable of upper-case text.
    ks: lengths of k-mers.
    min_count: lower than the published 101, because generated data sets are small.
  """
  counts = ngrams.count_sequences(sequences)
  for k in ks:
    write_table(folder / f"npmi_k{k}.npz", make(
        counts, k, method="exact", min_count=min_count,
        provenance={"strands": "single", "source": "the sequences of the data set"}))


def least_pmi(counts, k, *, longest_piece, denominator):
  """Least over segmentations of ln p(w) - sum of ln p(piece), in nats.

  Args:
    counts: {n: [4**n]} for n = 1..k.
    k: at least 2.
    longest_piece: letters of a piece; at most k - 1 count, so that the whole is none.
    denominator: p = count / (denominator * number of bases).

  Returns:
    [4**k] float64; not finite for k-mers that do not occur.
  """
  longest_piece = min(longest_piece, k - 1)
  with np.errstate(divide="ignore", invalid="ignore"):
    log_p = {n: np.log(counts[n] / (denominator * counts[1].sum())) for n in range(1, k + 1)}
    best = {0: np.zeros(1)}                         # highest sum over the first m letters
    for m in range(1, k + 1):
      best[m] = np.max([(best[m - n][:, None] + log_p[n]).reshape(-1)
                        for n in range(1, min(m, longest_piece) + 1)], axis=0)
    return log_p[k] - best[k]


def discount_of(count, min_count):
  """ln f / (ln f + ln min_count); 1 for min_count = 1."""
  if min_count <= 1:
    return np.ones(len(count))
  return np.log(count) / (np.log(count) + np.log(min_count))


def rank(score):
  """1 for the highest score; equal scores in the order they stand. [n] -> [n] int64."""
  out = np.empty(len(score), np.int64)
  out[np.argsort(-score, kind="stable")] = np.arange(1, len(score) + 1)
  return out


def kmer_names(k):
  """All k-mers in ACGT order, [4**k] fixed-width text."""
  letters = np.frombuffer(b"ACGT", "S1").astype("U1")
  codes = np.indices((4,) * k).reshape(k, -1).T               # [4**k, k]
  return np.ascontiguousarray(letters[codes]).view(f"U{k}")[:, 0]


def write_table(path, table):
  """A Table as .npz; it appears complete or not at all."""
  arrays = {name: getattr(table, name) for name in ("kmers", "score", "rank", "count")}

  def make_file(part):
    with open(part, "wb") as file:
      np.savez_compressed(file, provenance=np.array(json.dumps(table.provenance)), **arrays)
  try:
    files.write_atomically(path, make_file)
  except OSError as error:
    raise errors.UserError(f"--output={path}: cannot be written ({error.strerror}).") from None


_COLUMNS = ("ngram", "dp.true.pmi", "norm_dp_true_pmi", "norm_pmi_rank_rel")
_PUBLISHED_MIN_COUNT = 101


def read_published_csv(path, *, k=6):
  """GeneMask's table norm-pmi-score-ranking.csv, plain or compressed.

  The file has no counts. They follow from its two scores: their ratio d is the discount,
  hence ln f = d ln 101 / (1 - d).

  Args:
    path: the file.
    k: length of the k-mers wanted; the file may hold other lengths too.

  Returns:
    Table with the file's scores and ranks.

  Raises:
    UserError: columns or k-mers are missing; with the line where there is one.
  """
  def choose(names):
    missing = [name for name in _COLUMNS if name not in names]
    if missing:
      raise errors.UserError(f"{path}, line 1: no column {', '.join(missing)}. It has: "
                             f"{' '.join(', '.join(names).split())[:300]}.")
    return _COLUMNS
  found = {}
  for line, (kmer, *cells) in tables.read_text(path, choose):
    if len(kmer) == k:
      try:
        found[kmer] = [float(cell) for cell in cells]
      except ValueError:
        raise errors.UserError(f"{path}, line {line}: not numbers: {cells}.") from None
  kmers = kmer_names(k)
  missing = [kmer for kmer in kmers.tolist() if kmer not in found]
  if missing:
    raise errors.UserError(f"{path}: {len(missing)} of {len(kmers)} {k}-mers are missing, for "
                           f"example {missing[0]}. Fetch the file again.")
  plain, score, ranks = np.array([found[kmer] for kmer in kmers.tolist()]).T
  d = score / plain
  count = np.rint(np.exp(d * np.log(_PUBLISHED_MIN_COUNT) / (1 - d))).astype(np.int64)
  return Table(kmers=kmers, score=score, rank=ranks.astype(np.int64), count=count,
               provenance={"k": k, "method": "published", "min_count": _PUBLISHED_MIN_COUNT,
                           "discount": "count", "strands": "single",
                           "num_bases": int(count.sum()), "num_kmers": int(count.sum()),
                           "source": "GeneMask, Data-A_norm-pmi-score-ranking.csv"})


def recompute(table):
  """The table made again from its own counts, whose beginnings are the shorter n-grams."""
  k = table.provenance["k"]
  return make(ngrams.beginnings(table.count), k, method=table.provenance["method"],
              min_count=table.provenance["min_count"],
              discount=table.provenance["discount"])


def agreement(a, b):
  """(largest difference of scores, Spearman's correlation of ranks) of two tables."""
  is_known = np.isfinite(a.score) & np.isfinite(b.score)
  return (float(np.abs(a.score[is_known] - b.score[is_known]).max()),
          float(np.corrcoef(a.rank, b.rank)[0, 1]))
