"""Sequences as pieces that a model can read, and their embeddings put together again."""

import dataclasses

import numpy as np

from dnajax.shell import errors


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
  """A sequence that was asked for; see `embedder.Batch`."""
  id: object             # as it came
  fields: dict
  is_cut: bool
  is_windowed: bool
  is_reversed: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Piece:
  """A part of a sequence that is read at once.

  source: of the sequence, in its last piece; None in those before.
  weight: of its embedding in that of the sequence.
  """
  bases: bytes
  weight: int
  is_first: bool
  source: Source | None


def texts(sequences):
  """A list of str from a list, a column of pandas, Arrow or polars, or an array.

  Raises:
    UserError: it is one text, or an item is no text, as a missing value.
  """
  if isinstance(sequences, str | bytes):
    raise errors.UserError("Give a list of sequences, not one text: [sequence].")
  for method in ("to_pylist", "tolist", "to_list"):    # Arrow; pandas and NumPy; polars
    if hasattr(sequences, method):
      sequences = getattr(sequences, method)()
      break
  sequences = list(sequences)
  for number, sequence in enumerate(sequences):
    if not isinstance(sequence, str | bytes):
      raise errors.UserError(f"Sequence {number} is {sequence!r:.60} and no text. Drop missing "
                             "values first.")
  return sequences


def chunks(records, prepare, *, most):
  """Yields lists of about `most` Pieces; a long sequence may go on in the next list.

  Args:
    records: iterable of tuples.
    prepare: called with a tuple's items -> (Source, bases, [(start, end, weight)]).
    most: pieces of a list.
  """
  chunk = []
  for record in records:
    source, bases, places = prepare(*record)
    waiting = None                       # the last piece is known when there is no other
    for start, end, weight in places:
      if waiting is not None:
        chunk.append(dataclasses.replace(waiting, source=None))
        if len(chunk) >= most:
          yield chunk
          chunk = []
      waiting = Piece(bases[start:end], weight, waiting is None, source)
    chunk.append(waiting)
    if len(chunk) >= most:
      yield chunk
      chunk = []
  if chunk:
    yield chunk


class Join:
  """Embeddings of pieces -> of sequences, in their order."""

  def __init__(self, width, pooling):
    """width: D. pooling: as of `embedder.Embedder`."""
    self._width, self._pooling = width, pooling
    self._parts = []       # of the chunk at hand
    self._total = None     # of a sequence that goes on: features, weight, k-mers

  def add(self, rows, features, num_kmers):
    """Takes a batch: piece numbers [n] in the chunk, features [n, …, D], num_kmers [n]."""
    self._parts.append((rows, features, num_kmers))

  def finish(self, chunk):
    """Ends a chunk, of which every piece was added.

    Returns:
      (Sources of the n sequences that end in it, [n, D] or n arrays [K, D], num_kmers [n]).
    """
    parts, self._parts = self._parts, []
    num_kmers = np.zeros(len(chunk), np.int64)
    for rows, _, numbers in parts:
      num_kmers[rows] = numbers
    if self._pooling == "tokens":
      features = [None] * len(chunk)
      for rows, found, _ in parts:
        for row, of_row in zip(rows, found, strict=True):
          features[row] = of_row[:num_kmers[row]].copy()   # lets go of the batch
    else:
      features = np.empty((len(chunk), self._width), np.float32)
      for rows, found, _ in parts:
        features[rows] = found
    if all(piece.is_first and piece.source is not None for piece in chunk):
      return [piece.source for piece in chunk], features, num_kmers
    return self._joined(chunk, features, num_kmers)

  def _joined(self, chunk, features, num_kmers):
    sources, rows, numbers = [], [], []
    for piece, row, number in zip(chunk, features, num_kmers, strict=True):
      row = row if self._pooling == "max" else row.astype(np.float64) * piece.weight
      if piece.is_first:
        self._total = row, piece.weight, number
      else:
        before, weight, numbers_before = self._total
        both = np.maximum(before, row) if self._pooling == "max" else before + row
        self._total = both, weight + piece.weight, numbers_before + number
      if piece.source is not None:
        total, weight, number = self._total
        sources.append(piece.source)
        rows.append(total if self._pooling == "max" else total / max(weight, 1))
        numbers.append(number)
    return (sources, np.array(rows, np.float32).reshape(-1, self._width),
            np.array(numbers, np.int64))
