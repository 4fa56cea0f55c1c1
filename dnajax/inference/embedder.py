"""A trained encoder that takes sequences as they are written."""

import collections
import dataclasses
import itertools

import numpy as np

from data_pipelines import cleaning as cleaning_lib
from data_pipelines import kmer_text
from dnajax.inference import encode, strands, writers
from dnajax.shell import errors
from dnajax.tokens import bases as base_codes

STRANDS = ("forward", "reverse", "either")

_NUM_NAMED = 5  # ids of odd sequences that are shown


@dataclasses.dataclass(frozen=True)
class Batch:
  """Embeddings of n sequences, in the order they came."""
  ids: list                # [n] str
  embeddings: np.ndarray   # [n, D] float32, NaN where is_empty
  is_cut: np.ndarray       # [n] bool, longer than the model reads
  is_empty: np.ndarray     # [n] bool, no whole k-mer in it
  is_reversed: np.ndarray  # [n] bool, the other strand of what was written is embedded


class Embedder:
  """An encoder with its parameters on the device, and the cleaning it was trained with.

  Attributes:
    trained: workdir.load.Trained.
    pooling, frames: see `encode.make_embed_fn`.
    strand: "forward", as written; "reverse", the other strand; "either", of each sequence
      the strand that looks more like the training data, see `strands`.
    centre: [D] mean of the training data that is taken away from every embedding, as the
      checkpoint keeps it; None: nothing is.
    width: D, numbers of an embedding.
    max_length: base pairs of a sequence that are read.
    cleaning: data_pipelines.cleaning.Cleaning.
  """

  def __init__(self, trained, *, pooling="mean", centre=False, frames=1, strand="forward",
               mesh=None):
    """trained: workdir.load.Trained. centre: whether the mean is taken away. mesh: None for
    one device. Raises UserError: there is no such pooling or strand, no [CLS] to pool, or
    the checkpoint does not keep what is asked for."""
    if strand not in STRANDS:
      raise errors.UserError(f"Unknown strand {strand!r}. Known: {', '.join(STRANDS)}.")
    if frames < 1:
      raise errors.UserError(f"frames={frames} must be at least 1.")
    if centre and frames > 1:
      # Measured: after 20 updates most of a mean over six frames is left without it.
      raise errors.UserError(
          f"centre needs frames=1, it is {frames}: the mean that a checkpoint keeps is of frame "
          "0, and other frames have other means.")
    self.trained, self.pooling = trained, pooling
    self.frames, self.strand = frames, strand
    self.width = trained.model.encoder.width
    self.max_length = trained.model.max_length
    self.cleaning = cleaning_lib.Cleaning(**trained.cleaning)
    self._mesh = mesh
    self._embed_fn = encode.make_embed_fn(
        trained.module, trained.tokenizer, pooling, mesh, frames)
    self.centre = (np.asarray(self._kept(pooling, "centre"), np.float32)
                   if centre else None)
    self._gain = (strands.gain(self._kept("kmer_counts", "strand=either"))
                  if strand == "either" else None)
    self._params = encode.on_devices(trained.params, mesh)

  def _kept(self, name, asked_by):
    """What the checkpoint keeps of the training data."""
    kept = self.trained.meta.get("centre")
    if not kept:
      raise errors.UserError(
          f"{asked_by} needs what a checkpoint keeps of the training data, and that of step "
          f"{self.trained.step} keeps nothing: the run had "
          "config.checkpoint.centre_records=0, or is of an older version. A run that goes "
          "on with --config.checkpoint.centre_records=1024 keeps it from its next "
          "checkpoint on.")
    return kept[name]

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
        sequences, is_reversed = self._turn(sequences)
        waiting.append(([name for name, _ in chunk], is_cut, is_reversed))
        codes = base_codes.encode_batch(sequences, self.max_length)
        yield encode.pad_rows(codes, num_rows)

    results = encode.embed_batches(
        self._embed_fn, self._params, encoded(), mesh=self._mesh)
    for rows, num_kmers in results:
      ids, is_cut, is_reversed = waiting.popleft()
      is_empty = num_kmers[:len(ids)] == 0
      rows = np.where(is_empty[:, None], np.float32("nan"), rows[:len(ids)])
      if self.centre is not None:
        rows = rows - self.centre
      yield Batch(ids, rows, is_cut, is_empty, is_reversed)

  def _clean(self, name, sequence):
    try:
      return self.cleaning.clean(sequence)
    except kmer_text.NoOverlapError as error:
      raise errors.UserError(
          f"Sequence {name!r} has blanks and is not written as overlapping k-mers, as the "
          f"training data of this model may be: {error}.") from error

  def _turn(self, sequences):
    """(sequences, whole ones, on the strand that is asked for; which were turned [n])."""
    is_reversed = np.full(len(sequences), self.strand == "reverse")
    if self.strand == "either":
      # One by one: a batch as wide as the longest sequence may be large.
      is_reversed = np.array([strands.is_reversed(base_codes.encode(bases)[None],
                                                  self._gain)[0] for bases in sequences])
    return [strands.reverse_complement(bases) if turn else bases
            for bases, turn in zip(sequences, is_reversed, strict=True)], is_reversed


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
    dict: num_sequences, num_cut, num_reversed, num_empty, empty_ids (the first few).
  """
  about = {"step": embedder.trained.step, "pooling": embedder.pooling,
           "is_centred": embedder.centre is not None, "frames": embedder.frames,
           "strand": embedder.strand,
           "max_length": embedder.max_length,
           "cleaning": dataclasses.asdict(embedder.cleaning),
           "tokens": dataclasses.asdict(embedder.trained.model.tokens)}
  counts = {"num_sequences": 0, "num_cut": 0, "num_reversed": 0, "num_empty": 0,
            "empty_ids": []}
  with writers.open_writer(
      output, embedder.width, overwrite=overwrite, about=about) as writer:
    for batch in progress(embedder.stream(pairs, batch_size=batch_size)):
      writer.write(batch.ids, batch.embeddings)
      counts["num_sequences"] += len(batch.ids)
      counts["num_cut"] += int(batch.is_cut.sum())
      counts["num_reversed"] += int(batch.is_reversed.sum())
      counts["num_empty"] += int(batch.is_empty.sum())
      room = _NUM_NAMED - len(counts["empty_ids"])
      counts["empty_ids"] += [
          batch.ids[i] for i in np.flatnonzero(batch.is_empty)[:room]]
    if not counts["num_sequences"]:
      raise errors.UserError("The input holds no sequence; nothing was written.")
  return counts
