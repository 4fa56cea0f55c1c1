"""Workdir + sequences -> embeddings: `python -m dnajax.embed`.

Reads the parameters and the description of the model that lie in a checkpoint, nothing
else of the run. In Python: `embed.load("runs/first").embed(["ACGT…", …])`.
"""

import itertools
import sys
import time

from absl import app, flags, logging

from dnajax.shell import command_line, errors

FLAGS = flags.FLAGS


def load(workdir, *, step="best", pooling="mean", centre=False, frames=1,
         strand="forward"):
  """The encoder of a training run.

  Args:
    workdir: directory of the run; only its checkpoints and its metrics are read.
    step: which checkpoint, see `workdir.load.load`.
    pooling: "mean" or "cls".
    centre: take the mean of the training data away from every embedding.
    frames: an embedding is the mean over this many reading frames.
    strand: "forward", "reverse" or "either"; see `inference.embedder.Embedder`.

  Returns:
    An `inference.embedder.Embedder`, over all devices of this process.

  Raises:
    UserError: no such checkpoint, no [CLS] to pool, or the checkpoint does not keep
      what `centre` or strand="either" needs.
  """
  from dnajax.inference import embedder, encode
  from dnajax.workdir import load as load_lib
  return embedder.Embedder(load_lib.load(workdir, step=step), pooling=pooling,
                           centre=centre, frames=frames, strand=strand,
                           mesh=encode.local_mesh())


def read_pairs(path, columns=()):
  """Stream of (id, sequence); the first record is read at once.

  Args:
    path: see --input.
    columns: "field:column" texts for tables; without a field, the sequence's.
  """
  from data_pipelines import sequences
  pairs = [text if ":" in text else f"sequence:{text}" for text in columns]
  records = sequences.read(path, dict(text.split(":", 1) for text in pairs))
  first = list(itertools.islice(records, 1))
  return ((record.id, record.sequence)
          for record in itertools.chain(first, records))


def _with_bar(batches):
  """Shows sequences done and sequences/s."""
  import tqdm
  with tqdm.tqdm(unit=" sequences", unit_scale=True, mininterval=0.5) as bar:
    for batch in batches:
      yield batch
      bar.update(len(batch.ids))


def _report(embedder, counts, seconds, outputs):
  """Says what was done, and what was odd about the input."""
  if counts["num_cut"]:
    print(f"warning: {counts['num_cut']:,} sequences are longer than "
          f"{embedder.max_length} bp and were cut there "
          "(config.data.max_length of the model).", file=sys.stderr)
  if counts["num_empty"]:
    print(f"warning: {counts['num_empty']:,} sequences hold no whole k-mer; "
          f"their embedding is NaN. First: {', '.join(counts['empty_ids'])}",
          file=sys.stderr)
  if embedder.strand == "either":
    print(f"{counts['num_reversed']:,} sequences were turned: their other strand looks more "
          "like the training data")
  how = ("" if embedder.centre is None else ", centred") + (
      "" if embedder.frames == 1 else f", {embedder.frames} frames")
  print(f"{counts['num_sequences']:,} sequences × {embedder.width} numbers "
        f"({embedder.pooling} pooling{how}, checkpoint of step {embedder.trained.step}"
        f"{', the best' if embedder.trained.is_best else ''}) in "
        f"{seconds:.1f} s, {counts['num_sequences'] / seconds:,.0f} sequences/s")
  print(f"embeddings: {', '.join(map(str, outputs))}")


def define_flags():
  """Flags of the command; not at import, where several commands would clash."""
  from data_pipelines import formats
  from dnajax.inference import writers
  flags.DEFINE_string("workdir", None, "Directory of a training run.")
  flags.DEFINE_string(
      "input", None, f"Sequences: {formats.in_words()}, plain or compressed.")
  flags.DEFINE_string(
      "output", None, f"File to write: {writers.in_words()} (.npy has the ids in .ids.txt "
      "beside it).")
  flags.DEFINE_enum(
      "pooling", "mean", ["mean", "cls"], "Mean over the k-mers, or the [CLS] token.")
  flags.DEFINE_bool(
      "centre", False, "Take the mean of the training data away from every embedding: all "
      "share one direction, which decides their cosines otherwise. Needs --frames=1.")
  flags.DEFINE_integer(
      "frames", 1, "Mean of the embeddings of a sequence read from its bases 0 .. N-1 on.",
      lower_bound=1)
  flags.DEFINE_enum(
      "strand", "forward", ["forward", "reverse", "either"], "As written, its reverse "
      "complement, or for reads of unknown direction the one whose 4-mers are likelier in "
      "the training data.")
  flags.DEFINE_integer("batch_size", 256, "Sequences per step.", lower_bound=1)
  flags.DEFINE_string(
      "step", "best", "Checkpoint to use: best (of config.checkpoint.best; the latest if that "
      "names nothing), latest, or a number.")
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
  from dnajax.inference import writers
  # What can be wrong is found before the seconds that loading takes.
  outputs = writers.check_output(FLAGS.output, overwrite=FLAGS.overwrite)
  pairs = read_pairs(FLAGS.input, FLAGS.columns)
  from dnajax.devices import host_memory
  from dnajax.inference import embedder as embedder_lib
  host_memory.keep_freed_memory_on_cpu()
  embedder = load(FLAGS.workdir, step=FLAGS.step, pooling=FLAGS.pooling,
                  centre=FLAGS.centre, frames=FLAGS.frames, strand=FLAGS.strand)
  start = time.perf_counter()
  counts = embedder_lib.embed_file(
      embedder, pairs, FLAGS.output, batch_size=FLAGS.batch_size,
      overwrite=FLAGS.overwrite, progress=_with_bar)
  _report(embedder, counts, time.perf_counter() - start, outputs)


if __name__ == "__main__":
  define_flags()
  app.run(main, flags_parser=command_line.parse_flags)
