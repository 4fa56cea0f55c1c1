"""Counts of k-mers: the features that need no encoder."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from dnajax.tokens import kmers
from dnajax.tokens import vocabulary as vocabulary_lib


@functools.partial(jax.jit, static_argnames="k")
def count_kmers(bases, *, k):
  """Counts of all overlapping k-mers, stride 1, AAA… first, in ACGT order.

  Args:
    bases: [B, bp] uint8 base codes.
    k: letters per k-mer, static. k-mers with an unknown base are skipped.

  Returns:
    [B, 4^k] float32; zeros where a row has no k-mer.
  """
  vocab = vocabulary_lib.Vocabulary(k)
  tokens = kmers.tokenize(bases, vocabulary=vocab, stride=1)
  num_rows = bases.shape[0]
  rows = jnp.arange(num_rows)[:, None]
  # Unknown k-mers point behind the table, and such updates are dropped.
  columns = jnp.where(tokens.is_maskable, tokens.ids - vocab.num_special, 4**k)
  return jnp.zeros((num_rows, 4**k), jnp.float32).at[rows, columns].add(
      1.0, mode="drop")


class KmerCounts:
  """The matrix [N, 4^k] of k-mer counts, computed block by block when sliced.

  One million barcodes would need 16 GB at k = 6; counting again costs far less
  than the products with the counts, so they are never all held.
  """

  def __init__(self, bases, k, *, kind="counts", centre=None):
    """bases: [N, bp] uint8 base codes; k: letters per k-mer. kind: "counts"; "shares" of
    a row's k-mers; or "square_roots" of those, so that a repeated k-mer does not decide a
    cosine. centre: [4^k] taken away; not of counts, whose size is that of the row's
    length."""
    self._bases, self._k = bases, k
    self._kind, self._centre = kind, centre
    self.shape = (len(bases), 4**k)

  def __len__(self):
    return len(self._bases)

  def __getitem__(self, block):
    """Slice of n records -> [n, 4^k] float32 on the device."""
    rows = count_kmers(self._bases[block], k=self._k)
    if self._kind != "counts":
      rows = rows / jnp.maximum(rows.sum(axis=1, keepdims=True), 1)
    if self._kind == "square_roots":
      rows = jnp.sqrt(rows)
    return rows if self._centre is None else rows - self._centre

  def mean(self, *, block=4096):
    """[4^k] float32, the mean row."""
    total = sum(np.asarray(self[i:i + block].sum(axis=0), np.float64)
                for i in range(0, len(self), block))
    return (total / len(self)).astype(np.float32)

  def less(self, centre):
    """The same with a row taken away from every row."""
    return KmerCounts(self._bases, self._k, kind=self._kind, centre=centre)


def kmer_counts(bases, k, *, block=4096):
  """All counts at once. [N, bp] uint8 -> [N, 4^k] float32 numpy array."""
  counts = KmerCounts(bases, k)
  out = np.empty(counts.shape, np.float32)
  for start in range(0, len(counts), block):
    out[start:start + block] = counts[start:start + block]
  return out
