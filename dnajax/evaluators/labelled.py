"""Labelled records of a split and their features, computed once for all evaluators."""

import dataclasses
import functools
import zlib

import jax
import numpy as np

from dnajax.data import records
from dnajax.inference import encode as features
from dnajax.inference import kmer_counts, strands
from dnajax.shell import errors
from dnajax.tokens import kmers

_MOST_DENSE = 2**31  # bytes of k-mer frequencies held at once


@dataclasses.dataclass(frozen=True, eq=False)
class Labelled:
  """Records of a split that have a label, or a fixed choice of them."""
  split: str
  ids: np.ndarray      # [N] int, record numbers, increasing
  bases: np.ndarray    # [N, bp] uint8 base codes
  labels: np.ndarray   # [N] int32, none is -1
  num_unlabelled: int  # records of the split without the label


def read(context, split, label, most=0):
  """Reads the labelled records of a split.

  Args:
    context: context.Context.
    split: name of the split.
    label: rank, a column of the data set; records with -1 are left out.
    most: if not 0, the first n of a fixed permutation of the labelled records,
      the same in every run.

  Returns:
    Labelled, in the order of the split.

  Raises:
    UserError: no such split or label, or no record has one.
  """
  source = context.split(split)
  labels = np.asarray(source.labels(label))
  ids = np.flatnonzero(labels >= 0)
  num_unlabelled = len(labels) - len(ids)
  if not len(ids):
    raise errors.UserError(
        f"No record of split {split!r} in {context.data_directory} has a {label}. "
        "Choose another label or split in config.evals.")
  if most and most < len(ids):
    ids = ids[records.fixed_sample(len(ids), most)]
  return Labelled(split, ids, source.bases(ids, context.length), labels[ids],
                  num_unlabelled)


def split_shared(side, other, *, exclude):
  """Counts, and leaves out if asked, records whose sequence occurs in the other side.

  Args:
    side, other: Labelled.
    exclude: whether they are left out.

  Returns:
    (Labelled, how many records of `side` have a sequence that `other` has too;
    what lies beyond the length that is read does not count).

  Raises:
    UserError: nothing would be left.
  """
  known = set(map(bytes, other.bases))
  is_shared = np.array([bytes(row) in known for row in side.bases], bool)
  number = int(is_shared.sum())
  if not exclude or not number:
    return side, number
  if number == len(side.ids):
    raise errors.UserError(
        f"Every sequence of split {side.split!r} occurs in split {other.split!r} too: "
        "with exclude_shared=True nothing is left to evaluate.")
  return dataclasses.replace(side, ids=side.ids[~is_shared], bases=side.bases[~is_shared],
                             labels=side.labels[~is_shared]), number


def turn(side, keys):
  """Turns the records whose other strand looks more like the keys, see `strands`.

  Args:
    side, keys: Labelled.

  Returns:
    (Labelled, how many were turned).
  """
  is_reversed = strands.is_reversed(side.bases, strands.gain(strands.profile(keys.bases)))
  other = jax.device_get(kmers.reverse_complement(side.bases))
  bases = np.where(is_reversed[:, None], other, side.bases)
  return dataclasses.replace(side, bases=bases), int(is_reversed.sum())


def shared_in_words(number, those, other):
  """What `split_shared` counted, as the end of a protocol; "" if nothing.

  Args:
    number: of shared records.
    those: what they are, as "queries".
    other: what the others are, as "key".
  """
  return f"; {number:,} {those} have a sequence that is also a {other}" * bool(number)


def encode(context, params, side, *, batch_size, pooling="mean", frames=1):
  """Pooled encoder output of the records, [N, D] float32.

  Several evaluators that ask for the same records under the same parameters
  share one computation.

  Args:
    context: context.Context, whose `cache` holds the last result of each side.
    params: parameters of the model.
    side: Labelled.
    batch_size: rows per step.
    pooling, frames: see `inference.encode.make_embed_fn`.
  """
  key = ("encoder", pooling, frames, side.split, side.ids.tobytes(), zlib.crc32(side.bases))
  known = context.cache.get(key)
  if known is None or known[0] is not params:
    rows = features.encoder_features(
        context.model.module, params, side.bases, tokenizer=context.model.tokenizer,
        batch_size=batch_size, mesh=context.mesh, pooling=pooling, frames=frames)
    context.cache[key] = known = (params, rows)
  return known[1]


def own_keys(queries, keys):
  """Which key is the query itself: [Q] index into `keys`, -1 where none is.

  Args:
    queries, keys: Labelled.
  """
  if queries.split != keys.split:
    return np.full(len(queries.ids), -1)
  place = np.searchsorted(keys.ids, queries.ids)
  place = np.minimum(place, len(keys.ids) - 1)
  return np.where(keys.ids[place] == queries.ids, place, -1)


def rows(context, params, side, *, kind, k, batch_size):
  """Features of the records as a dense matrix.

  Args:
    context: context.Context.
    params: parameters of the model; not used by counts.
    side: Labelled.
    kind: "encoder", see `encode`, or "kmer_counts", the counts of all overlapping
      k-mers divided by their number in the record.
    k: letters per k-mer.
    batch_size: rows per step of the encoder.

  Returns:
    [N, D] float32, D = 4^k for counts; zeros for a record without a k-mer.
  """
  if kind == "encoder":
    return encode(context, params, side, batch_size=batch_size)
  counts = kmer_counts.kmer_counts(side.bases, k)
  return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


def check_dense(num_rows, k):
  """Refuses k-mer counts of so many records that they would fill the memory.

  Raises:
    UserError: num_rows × 4^k float32 are more than 2 GiB.
  """
  size = num_rows * 4**k * 4
  if size > _MOST_DENSE:
    raise errors.UserError(
        f"config.evals.*.k={k}: the frequencies of {4**k:,} k-mers in {num_rows:,} "
        f"records are {size / 2**30:.1f} GiB, more than the {_MOST_DENSE / 2**30:.0f} GiB "
        "this evaluator holds at once. Lower k or the number of records (max_…).")


def baseline(kind, k, square_root=False):
  """What stands in the column of the features; None: an encoder.

  Args:
    kind: "encoder", "kmer_counts" or "majority".
    k: letters per k-mer.
    square_root: whether the counts' square roots are taken.
  """
  counts = f"{k}-mer counts" + ", square roots" * square_root
  return {"kmer_counts": counts, "majority": "most frequent label"}.get(kind)


def searched(context, spec, **options):
  """(params, Labelled) -> the features that nearest neighbours are searched among.

  Args:
    context: context.Context.
    spec: part with features ("encoder" or "kmer_counts"), k, square_root (of shares),
      centre (whether `neighbors.centred` will take the mean away), frames, batch_size.
    options: of `encode`.
  """
  if spec.features == "encoder":
    return functools.partial(encode, context, batch_size=spec.batch_size, frames=spec.frames,
                             **options)
  # Uncentred, a row's scale decides no cosine, and whole numbers are exact. Centred, rows
  # of other lengths must not be of another size: of windows of 300 bp among barcodes of
  # 658 bp, the nearest centred roots of counts find 63 % of the genera, of shares 78 %.
  kind = "square_roots" if spec.square_root else "shares" if spec.centre else "counts"
  return lambda params, side: kmer_counts.KmerCounts(side.bases, spec.k, kind=kind)


def describe(kind, k, max_length, frames=1, pooling="mean"):
  """The features in words, for the protocol of an evaluator."""
  if kind == "encoder":
    frame = "frame 0" if frames == 1 else f"mean over frames 0 to {frames - 1}"
    what = {"mean": "mean over the attended positions", "cls": "[CLS]"}[pooling]
    return (f"{what} of the last encoder layer, {frame}, "
            f"nothing masked, first {max_length} bp")
  return f"frequencies of all overlapping {k}-mers, first {max_length} bp"
