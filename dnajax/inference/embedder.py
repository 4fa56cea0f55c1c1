"""A trained encoder that takes sequences as they are written."""

import collections
import dataclasses
import itertools

import numpy as np

from data_pipelines import cleaning as cleaning_lib
from data_pipelines import kmer_text
from dnajax.inference import buckets, encode, layers, pieces, strands, windows
from dnajax.shell import errors
from dnajax.tokens import bases as base_codes

STRANDS = ("forward", "reverse", "either")

# Pieces that are put into batches together: many, so that most fill a batch of their own
# length, but of tokens few, whose embeddings are large.
_FEWEST_PIECES, _FEWEST_BATCHES, _TOKEN_BATCHES = 4096, 32, 4


@dataclasses.dataclass(frozen=True)
class Batch:
  """Embeddings of n sequences, in the order they came.

  ids, embeddings, is_empty, and is_cut (longer than what was read), is_windowed (read in
  several windows), is_reversed (the other strand of what was written is embedded).
  """
  ids: list                # [n] str
  fields: list             # [n] {column: text}
  embeddings: np.ndarray | list  # [n, D] float32, NaN where is_empty; "tokens": n of [K, D]
  is_cut: np.ndarray       # [n] bool
  is_windowed: np.ndarray  # [n] bool
  is_empty: np.ndarray     # [n] bool, no whole k-mer in it
  is_reversed: np.ndarray  # [n] bool


class Embedder:
  """An encoder with its parameters on the device, and the cleaning it was trained with.

  Attributes:
    trained: workdir.load.Trained.
    pooling, frames: see `encode.make_embed_fn`.
    layer: see `layers.up_to`.
    strand: "forward", as written; "reverse", the other strand; "either", of each sequence
      the strand that looks more like the training data, see `strands`.
    centre: [D] mean of the training data that is taken away from every embedding, as the
      checkpoint keeps it; None: nothing is.
    windows: windows.Windows that longer sequences are read in; None: they are cut.
    width: D, numbers of an embedding.
    max_length: base pairs that are read at once.
    cleaning: data_pipelines.cleaning.Cleaning.
  """

  def __init__(self, trained, *, pooling="mean", layer=-1, centre=False, frames=1,
               strand="forward", has_windows=False, mesh=None):
    """trained: workdir.load.Trained. centre: whether the mean is taken away. has_windows:
    whether sequences longer than `max_length` are read in windows. mesh: None for one device.
    Raises UserError: there is no such pooling, layer or strand, no [CLS] to pool, two of these
    do not go together, or the checkpoint does not keep what is asked for."""
    _check(trained, pooling=pooling, layer=layer, centre=centre, frames=frames, strand=strand,
           has_windows=has_windows)
    self.trained, self.pooling, self.layer = trained, pooling, layer
    self.frames, self.strand = frames, strand
    self.width = trained.model.encoder.width
    self.max_length = trained.model.max_length
    self.cleaning = cleaning_lib.Cleaning(**trained.cleaning)
    self.windows = windows.make(trained.tokenizer) if has_windows else None
    self._mesh = mesh
    used = layers.up_to(trained, layer)
    self._embed_fn = encode.make_embed_fn(
        used.module, used.tokenizer, pooling, mesh, frames)
    self.centre = (np.asarray(self._kept(pooling, "centre"), np.float32)
                   if centre else None)
    self._gain = (strands.gain(self._kept("kmer_counts", "strand=either"))
                  if strand == "either" else None)
    self._params = encode.on_devices(used.params, mesh, used.model)

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

  def about(self):
    """Where the numbers of an embedding come from: dict, JSON-serialisable."""
    return {"step": self.trained.step, "pooling": self.pooling, "layer": self.layer,
            "is_centred": self.centre is not None, "frames": self.frames,
            "strand": self.strand, "max_length": self.max_length,
            "windows": None if self.windows is None else dataclasses.asdict(self.windows),
            "cleaning": dataclasses.asdict(self.cleaning),
            "tokens": dataclasses.asdict(self.trained.model.tokens)}

  def embed(self, sequences, *, batch_size=None):
    """Embeddings of some sequences.

    Args:
      sequences: n texts as they are written: a list, a column of pandas, Arrow or polars, or
        an array; they are cleaned as the sequences of the training data were.
      batch_size: as of `stream`.

    Returns:
      [n, D] float32 numpy array. A row is NaN where a sequence has no whole
      k-mer; what lies behind `max_length` base pairs is not read without windows.
      With pooling="tokens" a list of n arrays [K, D], a row for every whole k-mer.

    Raises:
      UserError: a sequence is no text, or not written as those of the training data were.
    """
    sequences = pieces.texts(sequences)
    # Few sizes to compile, and no large empty batch; windows are more than sequences.
    most = None if self.windows is not None else 1 << max(len(sequences) - 1, 0).bit_length()
    parts = [batch.embeddings for batch in
             self._stream(enumerate(sequences), batch_size, most)]
    if self.pooling == "tokens":
      return list(itertools.chain.from_iterable(parts))
    return np.concatenate([np.zeros((0, self.width), np.float32), *parts])

  def stream(self, records, *, batch_size=None):
    """Embeds a stream in constant memory.

    A row does not depend on its neighbours nor on the lengths of `buckets`, but for rounding
    (below 1e-5); the same stream and batch size give the same bits.

    Args:
      records: iterable of (id, sequence) or (id, sequence, {column: text}).
      batch_size: sequences of the longest length per step, of shorter ones more; None for
        `encode.default_rows`.

    Yields:
      `Batch`es, order kept.

    Raises:
      UserError: a sequence is not written as those of the training data were.
    """
    return self._stream(records, batch_size, None)

  def _stream(self, records, batch_size, most):
    """`stream` with at most so many rows in a batch."""
    num_rows = batch_size or encode.default_rows(self.trained.model)
    batches = buckets.make(self.trained.tokenizer, num_rows, most=most,
                           multiple_of=encode.round_up_batch(1, self._mesh))
    num_pieces = num_rows * _TOKEN_BATCHES if self.pooling == "tokens" else max(
        num_rows * _FEWEST_BATCHES, _FEWEST_PIECES)
    waiting = collections.deque()   # (chunk, row numbers) on their way through the device

    def encoded():
      for chunk in pieces.chunks(records, self._prepare, most=num_pieces):
        arranged = batches.arrange([len(piece.bases) for piece in chunk])
        for number, (length, rows) in enumerate(arranged, 1):
          waiting.append((chunk, rows, number == len(arranged)))
          codes = base_codes.encode_batch([chunk[row].bases for row in rows], length)
          yield encode.pad_rows(codes, batches.num_rows[batches.lengths.index(length)])

    joined = pieces.Join(self.width, self.pooling)
    results = encode.embed_batches(
        self._embed_fn, self._params, encoded(), mesh=self._mesh)
    for features, num_kmers in results:
      chunk, rows, is_last = waiting.popleft()
      joined.add(rows, features[:len(rows)], num_kmers[:len(rows)])
      if is_last:
        yield from self._batch(*joined.finish(chunk))

  def _batch(self, sources, embeddings, num_kmers):
    """A Batch of the sequences that are complete, if there are any."""
    if not sources:
      return
    is_empty = num_kmers == 0
    if self.pooling != "tokens":
      embeddings = np.where(is_empty[:, None], np.float32("nan"), embeddings)
    if self.centre is not None:
      embeddings = embeddings - self.centre
    of = lambda name: np.array([getattr(source, name) for source in sources], bool)
    yield Batch([source.id for source in sources], [source.fields for source in sources],
                embeddings, of("is_cut"), of("is_windowed"), is_empty, of("is_reversed"))

  def _prepare(self, name, sequence, fields=None):
    """One record -> (pieces.Source, bases, places of its windows)."""
    try:
      bases = self.cleaning.clean(sequence)
    except kmer_text.NoOverlapError as error:
      raise errors.UserError(
          f"Sequence {name!r} has blanks and is not written as overlapping k-mers, as the "
          f"training data of this model may be: {error}.") from error
    is_long = len(bases) > self.max_length
    is_reversed = self.strand == "reverse" or (self.strand == "either" and bool(
        strands.is_reversed(base_codes.encode(bases)[None], self._gain)[0]))
    if is_reversed:
      bases = strands.reverse_complement(bases)
    source = pieces.Source(name, fields or {}, is_cut=is_long and self.windows is None,
                           is_windowed=is_long and self.windows is not None,
                           is_reversed=is_reversed)
    if source.is_windowed:
      return source, bases, self.windows.places(len(bases))
    return source, bases, [(0, min(len(bases), self.max_length), 1)]


def _check(trained, *, pooling, layer, centre, frames, strand, has_windows):
  """UserError where these do not go together."""
  if strand not in STRANDS:
    raise errors.UserError(f"Unknown strand {strand!r}. Known: {', '.join(STRANDS)}.")
  if frames < 1:
    raise errors.UserError(f"frames={frames} must be at least 1.")
  if centre and frames > 1:
    # Measured: after 20 updates most of a mean over six frames is left without it.
    raise errors.UserError(
        f"centre needs frames=1, it is {frames}: the mean that a checkpoint keeps is of frame "
        "0, and other frames have other means.")
  if centre and (pooling not in ("mean", "cls") or layer != -1):
    raise errors.UserError(
        f"centre needs pooling=mean or cls and layer=-1, of which a checkpoint keeps the mean; "
        f"they are pooling={pooling}, layer={layer}.")
  if has_windows and pooling == "tokens":
    raise errors.UserError("windows make one embedding of several and do not go with "
                           "pooling=tokens. Cut the sequences, or use pooling=mean.")
  if has_windows and trained.tokenizer.consensus:
    raise errors.UserError("windows do not go with a model that aligns every sequence to a "
                           "consensus (config.tokens.align_to): only the start of a gene is "
                           "where the model knows it. Leave them out.")
