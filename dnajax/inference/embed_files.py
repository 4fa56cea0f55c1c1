"""Streams of sequences to files of embeddings, whole or in shards."""

import dataclasses
import itertools

import numpy as np

from dnajax.devices import processes
from dnajax.inference import encode, shards, writers
from dnajax.inference.writer import Layout
from dnajax.shell import errors
from dnajax.workdir import load

_NUM_NAMED = 5  # ids of odd sequences that are shown
_LARGEST = float(np.finfo(np.float16).max)


@dataclasses.dataclass
class Counts:
  """What was embedded, and what was odd about it; `empty_ids`: the first few."""
  num_sequences: int = 0
  num_cut: int = 0
  num_windowed: int = 0
  num_reversed: int = 0
  num_empty: int = 0
  empty_ids: list = dataclasses.field(default_factory=list)

  def add(self, batch):
    """Counts an `embedder.Batch`."""
    self.num_sequences += len(batch.ids)
    self.num_cut += int(batch.is_cut.sum())
    self.num_windowed += int(batch.is_windowed.sum())
    self.num_reversed += int(batch.is_reversed.sum())
    self.num_empty += int(batch.is_empty.sum())
    room = _NUM_NAMED - len(self.empty_ids)
    self.empty_ids += [str(batch.ids[i]) for i in np.flatnonzero(batch.is_empty)[:room]]


def layout_of(embedder, *, dtype="float32", columns=()):
  """The writers' Layout of an encoder's embeddings."""
  return Layout(embedder.width, dtype, tuple(columns), embedder.pooling == "tokens",
                embedder.about())


def embed_file(embedder, records, output, *, batch_size=None, overwrite=False, dtype="float32",
               columns=(), progress=lambda number: None):
  """Writes the embeddings of a stream of sequences to a file.

  Args:
    embedder: an `embedder.Embedder`.
    records: iterable of (id, sequence) or (id, sequence, {column: text}).
    output: path; its suffix says the kind, see `writers`.
    batch_size: see `embedder.Embedder.stream`.
    overwrite: replace an existing file.
    dtype: "float32" or "float16".
    columns: names of the texts that are written beside the ids.
    progress: called with the number of sequences done since the last time.

  Returns:
    Counts.

  Raises:
    UserError: there is no sequence, a number is too large for float16, or as of
      `writers.open_writer`; nothing is left then.
  """
  counts = Counts()
  with writers.open_writer(output, layout_of(embedder, dtype=dtype, columns=columns),
                           overwrite=overwrite) as writer:
    _write(embedder, records, writer, counts, batch_size, dtype, progress)
    if not counts.num_sequences:
      raise errors.UserError("The input holds no sequence; nothing was written.")
  return counts


def embed_shards(embedder, source, output, *, shard_size, batch_size=None, overwrite=False,
                 dtype="float32", input_digest="", num_sequences=None, share=(0, 1),
                 progress=lambda number: None):
  """Writes embeddings to several files; shards that are complete are not made again.

  Args:
    embedder, output, batch_size, overwrite, dtype, progress: as of `embed_file`; progress
      also hears of what was there or is another process's.
    source: sources.Source.
    shard_size: sequences of a shard.
    input_digest, num_sequences: of `source.survey()`.
    share: (process, processes): this one makes every so manieth shard. All have to call.

  Returns:
    (Counts of what was made here, number of shards that were made here, shards.Shards).

  Raises:
    UserError: as of `embed_file` and `shards.Shards`; complete shards stay.
  """
  if not num_sequences:
    raise errors.UserError("The input holds no sequence; nothing was written.")
  if batch_size is None:
    batch_size = encode.default_rows(embedder.trained.model)
  found = shards.Shards(output, {
      "input": input_digest, "checkpoint": load.fingerprint(embedder.trained),
      "embedding": embedder.about(), "columns": list(source.columns), "dtype": dtype,
      "shard_size": shard_size, "batch_size": batch_size})
  processes.on_first_process(lambda: found.begin(overwrite=overwrite))
  counts, num_made = Counts(), 0
  num_shards = -(-num_sequences // shard_size)
  records = source.records()
  for number in range(num_shards):
    part = itertools.islice(records, shard_size)
    if number % share[1] != share[0] or found.is_done(number):
      progress(sum(1 for _ in part))
      continue
    layout = layout_of(embedder, dtype=dtype, columns=source.columns)
    with writers.open_writer(found.path(number), layout, overwrite=True) as writer:
      _write(embedder, part, writer, counts, batch_size, dtype, progress)
    num_made += 1
  processes.on_first_process(lambda: found.finish(num_shards, num_sequences))
  return counts, num_made, found


def _write(embedder, records, writer, counts, batch_size, dtype, progress):
  for batch in embedder.stream(records, batch_size=batch_size):
    if dtype == "float16":
      _check_small(batch)
    writer.write(batch.ids, batch.embeddings, batch.fields)
    counts.add(batch)
    progress(len(batch.ids))


def _check_small(batch):
  for name, row in zip(batch.ids, batch.embeddings, strict=True):
    if (np.abs(row) > _LARGEST).any():
      raise errors.UserError(f"The embedding of {name} has numbers that float16 cannot hold. "
                             "Use --dtype=float32.")
