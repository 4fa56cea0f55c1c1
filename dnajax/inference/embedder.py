"""A trained encoder that takes sequences as they are written."""

import collections
import dataclasses
import itertools

import numpy as np

from data_pipelines import cleaning as cleaning_lib
from data_pipelines import kmer_text
from dnajax.inference import encode, writers
from dnajax.shell import errors
from dnajax.tokens import bases as base_codes

_NUM_NAMED = 5  # ids of odd sequences that are shown


@dataclasses.dataclass(frozen=True)
class Batch:
  """Embeddings of n sequences, in the order they came."""
  ids: list                # [n] str
  embeddings: np.ndarray   # [n, D] float32, NaN where is_empty
  is_cut: np.ndarray       # [n] bool, longer than the model reads
  is_empty: np.ndarray     # [n] bool, no whole k-mer in it


class Embedder:
  """An encoder with its parameters on the device, and the cleaning it was trained with.

  Attributes:
    trained: workdir.load.Trained.
    pooling: see `encode.make_embed_fn`.
    width: D, numbers of an embedding.
    max_length: base pairs of a sequence that are read.
    cleaning: data_pipelines.cleaning.Cleaning.
  """

  def __init__(self, trained, *, pooling="mean", mesh=None):
    """trained: has step, model, module, tokenizer, params, cleaning. mesh: None for one
    device. Raises UserError: there is no such pooling, or no [CLS] to pool."""
    self.trained, self.pooling = trained, pooling
    self.width = trained.model.encoder.width
    self.max_length = trained.model.max_length
    self.cleaning = cleaning_lib.Cleaning(**trained.cleaning)
    self._mesh = mesh
    self._embed_fn = encode.make_embed_fn(trained.module, trained.tokenizer, pooling, mesh)
    self._params = encode.on_devices(trained.params, mesh)

  def embed(self, sequences, *, batch_size=256):
    """Embeddings of some sequences.

    Args:
      sequences: list of n str as they are written; they are cleaned as the sequences
        of the training data were.
      batch_size: sequences per step.

    Returns:
      [n, D] float32 numpy array. A row is NaN where a sequence has no whole
      k-mer; what lies behind `max_length` base pairs is not read.
    """
    batch_size = max(1, min(batch_size, len(sequences)))
    parts = [batch.embeddings for batch in
             self.stream(enumerate(sequences), batch_size=batch_size)]
    return np.concatenate([np.zeros((0, self.width), np.float32), *parts])

  def stream(self, pairs, *, batch_size):
    """Embeds a stream in constant memory.

    Args:
      pairs: iterable of (id, sequence).
      batch_size: sequences per step; the last batch is filled up.

    Yields:
      A `Batch` for every `batch_size` sequences, order kept.

    Raises:
      UserError: a sequence is not written as those of the training data were.
    """
    num_rows = encode.round_up_batch(batch_size, self._mesh)
    waiting = collections.deque()   # batches on their way through the device

    def encoded():
      source = iter(pairs)
      while chunk := list(itertools.islice(source, num_rows)):
        sequences = [self._clean(*pair) for pair in chunk]
        is_cut = np.array([len(bases) > self.max_length for bases in sequences])
        waiting.append(([name for name, _ in chunk], is_cut))
        codes = base_codes.encode_batch(sequences, self.max_length)
        yield encode.pad_rows(codes, num_rows)

    results = encode.embed_batches(
        self._embed_fn, self._params, encoded(), mesh=self._mesh)
    for rows, num_kmers in results:
      ids, is_cut = waiting.popleft()
      is_empty = num_kmers[:len(ids)] == 0
      rows = np.where(is_empty[:, None], np.float32("nan"), rows[:len(ids)])
      yield Batch(ids, rows, is_cut, is_empty)

  def _clean(self, name, sequence):
    try:
      return self.cleaning.clean(sequence)
    except kmer_text.NoOverlapError as error:
      raise errors.UserError(
          f"Sequence {name!r} has blanks and is not written as overlapping k-mers, as the "
          f"training data of this model may be: {error}.") from error


def embed_file(embedder, pairs, output, *, batch_size=256, overwrite=False,
               progress=lambda batches: batches):
  """Writes the embeddings of a stream of sequences to a file.

  Args:
    embedder: an `Embedder`.
    pairs: iterable of (id, sequence).
    output: path; its suffix says the kind, see `writers`.
    batch_size: sequences per step.
    overwrite: replace an existing file.
    progress: wraps the iterator over `Batch`.

  Returns:
    dict: num_sequences, num_cut, num_empty, empty_ids (the first few).
  """
  about = {"step": embedder.trained.step, "pooling": embedder.pooling,
           "max_length": embedder.max_length,
           "cleaning": dataclasses.asdict(embedder.cleaning),
           "tokens": dataclasses.asdict(embedder.trained.model.tokens)}
  counts = {"num_sequences": 0, "num_cut": 0, "num_empty": 0, "empty_ids": []}
  with writers.open_writer(
      output, embedder.width, overwrite=overwrite, about=about) as writer:
    for batch in progress(embedder.stream(pairs, batch_size=batch_size)):
      writer.write(batch.ids, batch.embeddings)
      counts["num_sequences"] += len(batch.ids)
      counts["num_cut"] += int(batch.is_cut.sum())
      counts["num_empty"] += int(batch.is_empty.sum())
      room = _NUM_NAMED - len(counts["empty_ids"])
      counts["empty_ids"] += [
          batch.ids[i] for i in np.flatnonzero(batch.is_empty)[:room]]
    if not counts["num_sequences"]:
      raise errors.UserError("The input holds no sequence; nothing was written.")
  return counts
