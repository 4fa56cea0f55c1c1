"""Workdir + sequences -> embeddings: `python -m dnajax.embed`.

Reads the parameters and the config that lie in a checkpoint, nothing else of
the run. In Python: `embed.load("runs/first").embed(["ACGT…", …])`.
"""

import collections
import dataclasses
import itertools
import sys
import time

import numpy as np
from absl import app, flags, logging

from dnajax import bases as base_codes
from dnajax import command_line, embed_writers, errors, host_memory

FLAGS = flags.FLAGS

_NUM_NAMED = 5  # ids of odd sequences that are shown


@dataclasses.dataclass(frozen=True)
class Batch:
  """Embeddings of n sequences, in the order they came."""
  ids: list                # [n] str
  embeddings: np.ndarray   # [n, D] float32, NaN where is_empty
  is_cut: np.ndarray       # [n] bool, longer than the model reads
  is_empty: np.ndarray     # [n] bool, no whole k-mer in it


class Embedder:
  """An encoder with its parameters on the device."""

  def __init__(self, model, params, config, derived, *, step=None, pooling="mean",
               mesh=None):
    """model, params, config, derived: of a training run; mesh: None for one
    device. pooling: see `evaluators.features.make_embed_fn`."""
    from dnajax.evaluators import features
    self.config, self.step, self.pooling = config, step, pooling
    self.width = config.model.width
    self.max_length = config.data.max_length   # bp
    self._mesh = mesh
    self._params = features.on_devices(params, mesh)
    self._embed_fn = features.make_embed_fn(
        model, derived.vocabulary, config.tokens.stride, pooling, mesh)

  def embed(self, sequences, *, batch_size=256):
    """Embeddings of some sequences.

    Args:
      sequences: list of n str; lower case is read as upper case.
      batch_size: sequences per step.

    Returns:
      [n, D] float32 numpy array. A row is NaN where a sequence has no whole
      k-mer; what lies behind `max_length` base pairs is not read.
    """
    batch_size = max(1, min(batch_size, len(sequences)))
    parts = [batch.embeddings for batch in
             self.stream((("", text) for text in sequences), batch_size=batch_size)]
    return np.concatenate([np.zeros((0, self.width), np.float32), *parts])

  def stream(self, pairs, *, batch_size):
    """Embeds a stream in constant memory.

    Args:
      pairs: iterable of (id, sequence).
      batch_size: sequences per step; the last batch is filled up.

    Yields:
      A `Batch` for every `batch_size` sequences, order kept.
    """
    from dnajax.evaluators import features
    num_rows = features.round_up_batch(batch_size, self._mesh)
    waiting = collections.deque()   # batches on their way through the device

    def encoded():
      source = iter(pairs)
      while chunk := list(itertools.islice(source, num_rows)):
        ids, sequences = zip(*chunk, strict=True)
        is_cut = np.array([len(text) > self.max_length for text in sequences])
        waiting.append((list(ids), is_cut))
        codes = base_codes.encode_batch(sequences, self.max_length)
        yield features.pad_rows(codes, num_rows)

    results = features.embed_batches(
        self._embed_fn, self._params, encoded(), mesh=self._mesh)
    for rows, num_kmers in results:
      ids, is_cut = waiting.popleft()
      is_empty = num_kmers[:len(ids)] == 0
      rows = np.where(is_empty[:, None], np.float32("nan"), rows[:len(ids)])
      yield Batch(ids, rows, is_cut, is_empty)


def load(workdir, *, step=None, pooling="mean"):
  """The encoder of a training run.

  Args:
    workdir: directory of the run; only its checkpoints are read.
    step: which checkpoint; default the latest.
    pooling: "mean" or "cls".

  Returns:
    An `Embedder`, over all devices of this process.

  Raises:
    UserError: no such checkpoint, or no [CLS] to pool.
  """
  from dnajax import checkpointing
  from dnajax import config as config_lib
  from dnajax.evaluators import features
  step, params, meta = checkpointing.load_params(workdir, step)
  config = config_lib.from_dict(meta["config"])
  derived = config_lib.derive(config)
  model = config_lib.build_model(config, derived)
  return Embedder(model, params, config, derived, step=step, pooling=pooling,
                  mesh=features.local_mesh())


def embed_file(embedder, pairs, output, *, batch_size=256, overwrite=False,
               progress=lambda batches: batches):
  """Writes the embeddings of a stream of sequences to a file.

  Args:
    embedder: an `Embedder`.
    pairs: iterable of (id, sequence).
    output: path; its suffix says the kind, see `embed_writers`.
    batch_size: sequences per step.
    overwrite: replace an existing file.
    progress: wraps the iterator over `Batch`.

  Returns:
    dict: num_sequences, num_cut, num_empty, empty_ids (the first few).
  """
  about = {"step": embedder.step, "pooling": embedder.pooling,
           "max_length": embedder.max_length,
           "tokens": embedder.config.tokens.to_dict()}
  counts = {"num_sequences": 0, "num_cut": 0, "num_empty": 0, "empty_ids": []}
  with embed_writers.open_writer(
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


def _with_bar(batches):
  """Shows sequences done and sequences/s."""
  import tqdm
  with tqdm.tqdm(unit=" sequences", unit_scale=True, mininterval=0.5) as bar:
    for batch in batches:
      yield batch
      bar.update(len(batch.ids))


def _report(embedder, counts, seconds, output):
  """Says what was done, and what was odd about the input."""
  if counts["num_cut"]:
    print(f"warning: {counts['num_cut']:,} sequences are longer than "
          f"{embedder.max_length} bp and were cut there "
          "(config.data.max_length of the model).", file=sys.stderr)
  if counts["num_empty"]:
    print(f"warning: {counts['num_empty']:,} sequences hold no whole k-mer; "
          f"their embedding is NaN. First: {', '.join(counts['empty_ids'])}",
          file=sys.stderr)
  print(f"{counts['num_sequences']:,} sequences × {embedder.width} numbers "
        f"({embedder.pooling} pooling, checkpoint of step {embedder.step}) in "
        f"{seconds:.1f} s, {counts['num_sequences'] / seconds:,.0f} sequences/s")
  print(f"embeddings: {output}")
  if output.endswith(".npy"):
    print(f"ids:        {embed_writers.ids_path(output)}")


def define_flags():
  """Flags of the command; not at import, where several commands would clash."""
  flags.DEFINE_string("workdir", None, "Directory of a training run.")
  flags.DEFINE_string(
      "input", None, "Sequences: FASTA, FASTQ, TSV, CSV or Parquet; .gz too.")
  flags.DEFINE_string(
      "output", None, "File to write: .parquet, .npy (with the ids in .ids.txt "
      "beside it), .npz or .tsv.")
  flags.DEFINE_enum(
      "pooling", "mean", ["mean", "cls"], "Mean over the k-mers, or the [CLS] token.")
  flags.DEFINE_integer("batch_size", 256, "Sequences per step.", lower_bound=1)
  flags.DEFINE_integer("step", None, "Checkpoint to use; default the latest.")
  flags.DEFINE_list(
      "columns", [], "Columns of a table, as sequence:NAME,id:NAME; default by "
      "the names that known layouts use.")
  flags.DEFINE_alias("column", "columns")
  flags.DEFINE_bool("overwrite", False, "Replace an existing output.")


@errors.exit_cleanly
def main(argv):
  """Flags -> embeddings file."""
  if argv[1:]:
    raise errors.UserError(f"Unexpected arguments: {' '.join(argv[1:])}.")
  logging.set_verbosity(logging.WARNING)
  for name in ("workdir", "input", "output"):
    if not FLAGS[name].value:
      raise errors.UserError(f"--{name} is missing. See --help.")
  # What can be wrong is found before the seconds that loading takes.
  embed_writers.check_output(FLAGS.output, overwrite=FLAGS.overwrite)
  pairs = read_pairs(FLAGS.input, FLAGS.columns)
  host_memory.keep_freed_memory_on_cpu()
  embedder = load(FLAGS.workdir, step=FLAGS.step, pooling=FLAGS.pooling)
  start = time.perf_counter()
  counts = embed_file(embedder, pairs, FLAGS.output, batch_size=FLAGS.batch_size,
                      overwrite=FLAGS.overwrite, progress=_with_bar)
  _report(embedder, counts, time.perf_counter() - start, FLAGS.output)


def read_pairs(path, columns=()):
  """Stream of (id, sequence); the first record is read at once.

  Args:
    path: see --input.
    columns: "field:column" texts for tables; without a field, the sequence's.
  """
  from data_pipelines import files, sequences
  if columns and (kind := files.sniff(path)) in ("fasta", "fastq"):
    raise errors.UserError(f"{path} is {kind.upper()} and has no columns. "
                           "Leave --columns out.")
  pairs = [text if ":" in text else f"sequence:{text}" for text in columns]
  records = sequences.read(path, dict(text.split(":", 1) for text in pairs))
  first = list(itertools.islice(records, 1))
  return ((record.id, record.sequence)
          for record in itertools.chain(first, records))


if __name__ == "__main__":
  define_flags()
  app.run(main, flags_parser=command_line.parse_flags)
