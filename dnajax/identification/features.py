"""What references are searched by: an encoder's embeddings, or k-mers where those are better."""

import contextlib

import numpy as np

from dnajax.identification import learned
from dnajax.inference import kmer_counts
from dnajax.tokens import bases as base_codes

_MOST_KNOWN = 40_000   # rows that are kept while a library is fitted
_LONGEST_KMERS = 1500   # base pairs that are counted
K = 6


class Features:
  """What is common to all: rows may be made of what was read of the sequences first."""
  classes = None   # learned.Classes of the encoder that they are of

  def read(self, sequences):
    """[n] str -> what `of` makes rows of."""
    return self.rows(sequences)

  def of(self, read):
    """What `read` gave -> rows."""
    return read


class Dense(Features):
  """Features whose rows are an array."""

  def mean(self, rows):
    """[D] mean of rows."""
    return np.mean(rows, axis=0, dtype=np.float64).astype(np.float32)

  def less(self, rows, centre):
    """Rows less a row; a row of zeros stays one."""
    return np.where(rows.any(axis=1, keepdims=True), rows - centre, 0)


class Encoder(Dense):
  """Embeddings of a trained encoder."""
  name = "encoder"
  _known = None   # {sequence: row}

  def __init__(self, embedder, name=name, classes=None):
    """embedder: inference.embedder.Embedder, not centred. name: told apart by it. classes:
    learned.Classes of it."""
    self._embedder, self.name, self.classes = embedder, name, classes

  @contextlib.contextmanager
  def remembering(self):
    """Meanwhile a sequence is embedded once, unless there are very many."""
    self._known = {}
    try:
      yield
    finally:
      self._known = None

  def rows(self, sequences):
    """[n] str -> [n, D] float32; 0 where nothing can be read."""
    known = self._known
    if known is None or not sequences:
      return self._embedded(sequences)
    new = [text for text in dict.fromkeys(sequences) if text not in known]
    if len(known) + len(new) > _MOST_KNOWN:
      return self._embedded(sequences)
    if new:
      known.update(zip(new, self._embedded(new), strict=True))
    return np.stack([known[text] for text in sequences])

  def _embedded(self, sequences):
    return np.nan_to_num(self._embedder.embed(sequences), copy=False)


def encoder(embedder):
  """Encoder of an inference.embedder.Embedder, with the names that it has learned."""
  return Encoder(embedder, classes=learned.of_checkpoint(embedder.trained))


class Kmers(Features):
  """Square roots of the shares of all 6-mers: no training, any marker."""
  name = "6-mers"

  def rows(self, sequences):
    """[n] str -> kmer_counts.KmerCounts."""
    length = min(max(map(len, sequences), default=K), _LONGEST_KMERS)
    # One of few widths, each of which is compiled.
    width = min(-(-length // 128) * 128, _LONGEST_KMERS)
    codes = base_codes.encode_batch([text.encode() for text in sequences], width)
    return kmer_counts.KmerCounts(codes, K, kind="square_roots")

  def mean(self, rows):
    """[4^k] mean of rows."""
    return rows.mean()

  def less(self, rows, centre):
    """Rows less a row."""
    return rows.less(centre)
