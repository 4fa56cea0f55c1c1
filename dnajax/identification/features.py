"""What references are searched by: an encoder's embeddings, or k-mers where those are better."""

import numpy as np

from dnajax.inference import kmer_counts
from dnajax.tokens import bases as base_codes

_LONGEST_KMERS = 1500   # base pairs that are counted
K = 6


class Dense:
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

  def __init__(self, embedder, name=name):
    """embedder: inference.embedder.Embedder, not centred. name: told apart by it."""
    self._embedder, self.name = embedder, name

  def rows(self, sequences):
    """[n] str -> [n, D] float32; 0 where nothing can be read."""
    rows = self._embedder.embed(sequences)
    return np.nan_to_num(rows, copy=False)


class Kmers:
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
