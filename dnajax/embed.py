"""Workdir + sequences -> embeddings: `python -m dnajax.embed`.

Reads the parameters and the description of the model that lie in a checkpoint, nothing
else of the run. In Python: `dnajax.load("runs/first").embed(["ACGT…", …])`.

Ends with 0 when all is written, 2 when something is wrong, 42 when it was asked to stop
(SIGTERM) and the same command goes on from the files that are complete (--shard_size), 143
when it was asked to stop and has written nothing.
"""

import signal
import sys
import time

from absl import app, flags, logging

import dnajax
from dnajax.shell import command_line, errors

FLAGS = flags.FLAGS
_TERMINATED = 128 + signal.SIGTERM


class _Asked(BaseException):
  """SIGTERM came."""


class _Sigterm:
  """The handler: ends the command at once; once files are written, between two batches.

  What is raised anywhere would leave half a file behind, or be ignored where JAX is called
  back by the garbage collector. Asked again, it does not wait.
  """

  def __init__(self):
    self._is_asked = self._is_writing = False

  def __call__(self, *_):
    is_again, self._is_asked = self._is_asked, True
    if is_again or not self._is_writing:
      raise _Asked

  def between_batches(self, progress):
    """`progress`, which from here on ends the command if it was asked to stop."""
    def after(number):
      if self._is_asked:
        raise _Asked
      progress(number)
    self._is_writing = True
    return after


def _report(embedder, counts, seconds, lines):
  """Says what was done, and what was odd about the input."""
  if counts.num_cut:
    print(f"warning: {counts.num_cut:,} sequences are longer than "
          f"{embedder.max_length} bp and were cut there "
          "(config.data.max_length of the model); --windows reads all of them.",
          file=sys.stderr)
  if counts.num_empty:
    print(f"warning: {counts.num_empty:,} sequences hold no whole k-mer; "
          f"their embedding is NaN. First: {', '.join(counts.empty_ids)}",
          file=sys.stderr)
  if embedder.strand == "either":
    print(f"{counts.num_reversed:,} sequences were turned: their other strand looks more "
          "like the training data")
  if embedder.windows is not None:
    print(f"{counts.num_windowed:,} sequences were read in windows of {embedder.max_length} bp, "
          f"one every {embedder.windows.step} bp")
  how = "".join([
      ", centred" if embedder.centre is not None else "",
      f", {embedder.frames} frames" if embedder.frames > 1 else "",
      f", layer {embedder.layer}" if embedder.layer != -1 else ""])
  print(f"{counts.num_sequences:,} sequences × {embedder.width} numbers "
        f"({embedder.pooling} pooling{how}, checkpoint of step {embedder.trained.step}"
        f"{', the best' if embedder.trained.is_best else ''}) in "
        f"{seconds:.1f} s, {counts.num_sequences / seconds:,.0f} sequences/s")
  for line in lines:
    print(line)


def define_flags():
  """Flags of the command; not at import, where several commands would clash."""
  from data_pipelines import files, formats
  from dnajax.inference import writers
  flags.DEFINE_string("workdir", None, "Directory of a training run.")
  flags.DEFINE_list(
      "input", [], f"Sequences: {formats.in_words()}, plain or compressed (.gz, .zst, .bz2, "
      ".xz); several with commas, or patterns in quotes ('reads/*.fa.gz'); - for what another "
      "command writes.")
  flags.DEFINE_string(
      "output", None, f"File to write: {writers.in_words()} (.npy has the ids in .ids.txt "
      "beside it).")
  flags.DEFINE_enum(
      "pooling", "mean", ["mean", "cls", "max", "tokens"], "Mean over the k-mers, the [CLS] "
      "token, the largest of every number, or an embedding for every k-mer.")
  flags.DEFINE_integer(
      "layer", -1, "Of a transformer: 1 … depth from the first, -1 … -depth from the last.")
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
  flags.DEFINE_bool(
      "windows", False, "Read sequences longer than the model in windows that overlap by half; "
      "an embedding is their mean, in which every base counts once. Else they are cut.")
  flags.DEFINE_enum("dtype", "float32", ["float32", "float16"], "Of the numbers written.")
  flags.DEFINE_bool("taxonomy", True, "Columns phylum … species and bin of tables go to the "
                    "output (not to .npy).")
  flags.DEFINE_integer(
      "batch_size", None, "Sequences of the longest length per step, of shorter ones more; by "
      "default what is fast.", lower_bound=1)
  flags.DEFINE_integer(
      "shard_size", None, "Several outputs, OUT-00000.parquet, …, of so many sequences; the "
      "same command again goes on behind the complete ones.", lower_bound=1)
  flags.DEFINE_bool(
      "distributed", False, "One of several processes, each of which writes a share of the "
      "shards (as of dnajax.main).")
  flags.DEFINE_string(
      "step", "best", "Checkpoint to use: best (of config.checkpoint.best; the latest if that "
      "names nothing), latest, or a number.")
  flags.DEFINE_list(
      "columns", [], "Columns of a table, as sequence:NAME,id:NAME; default by "
      "the names that known layouts use.")
  flags.DEFINE_alias("column", "columns")
  flags.DEFINE_integer("max_record_bp", files.MAX_RECORD_BP, files.MAX_RECORD_HELP, lower_bound=1)
  flags.DEFINE_list("mesh", [], command_line.MESH_HELP)
  flags.DEFINE_bool("overwrite", False, "Replace an existing output.")


@errors.exit_cleanly
def main(argv):
  """Flags -> embeddings files."""
  if argv[1:]:
    raise errors.UserError(f"Unexpected arguments: {' '.join(argv[1:])}.")
  logging.set_verbosity(logging.WARNING)
  for name in ("workdir", "input", "output"):
    if not FLAGS[name].value:
      raise errors.UserError(f"--{name} is missing. See --help.")
  if FLAGS.distributed and not FLAGS.shard_size:
    raise errors.UserError("--distributed shares out the files of --shard_size=N. Give both.")
  if not FLAGS.distributed:
    _embed_or_stop(0, 1)
    return
  import jax

  from dnajax.devices import start_up
  from dnajax.training import stopping
  with start_up.joined(stopping.EXIT_CODE):
    _embed_or_stop(jax.process_index(), jax.process_count())


def _embed_or_stop(*share):
  try:
    _embed(share)
  except _Asked:
    if FLAGS.shard_size:
      from dnajax.training import stopping
      print("Stopped as asked (SIGTERM); the same command goes on behind the complete files.",
            file=sys.stderr)
      sys.exit(stopping.EXIT_CODE)
    print("Stopped as asked (SIGTERM); nothing was written. With --shard_size=N the same command "
          "goes on.", file=sys.stderr)
    sys.exit(_TERMINATED)


def _embed(share):
  from dnajax.inference import sources, writers
  # What can be wrong is found before the seconds that loading takes.
  writers.check_output(FLAGS.output, overwrite=FLAGS.overwrite or bool(FLAGS.shard_size))
  with sources.opened(FLAGS.input, FLAGS.columns, has_taxonomy=FLAGS.taxonomy,
                      max_record_bp=FLAGS.max_record_bp) as source:
    from dnajax.devices import host_memory
    host_memory.keep_freed_memory_on_cpu()
    sigterm = _Sigterm()
    signal.signal(signal.SIGTERM, sigterm)   # behind JAX, which has a handler of its own
    embedder = dnajax.load(
        FLAGS.workdir, step=FLAGS.step, pooling=FLAGS.pooling, layer=FLAGS.layer,
        centre=FLAGS.centre, frames=FLAGS.frames, strand=FLAGS.strand, windows=FLAGS.windows,
        mesh=command_line.mesh(FLAGS.mesh))
    num_sequences, digest = source.survey()
    import tqdm
    with tqdm.tqdm(total=num_sequences, unit=" sequences", unit_scale=True, mininterval=0.5,
                   disable=share[0] > 0) as bar:
      counts, seconds, lines = _written(embedder, source, num_sequences, digest, share,
                                        sigterm.between_batches(bar.update))
  _report(embedder, counts, seconds, lines)


def _written(embedder, source, num_sequences, digest, share, progress):
  """(embed_files.Counts, seconds, lines that say where the embeddings are)."""
  from dnajax.inference import embed_files, writers
  options = dict(batch_size=FLAGS.batch_size, overwrite=FLAGS.overwrite, dtype=FLAGS.dtype,
                 progress=progress)
  start = time.perf_counter()
  if not FLAGS.shard_size:
    counts = embed_files.embed_file(embedder, source.records(), FLAGS.output,
                                    columns=source.columns, **options)
    lines = [f"embeddings: {', '.join(map(str, writers.targets_of(FLAGS.output)))}"]
  else:
    counts, num_made, found = embed_files.embed_shards(
        embedder, source, FLAGS.output, shard_size=FLAGS.shard_size, input_digest=digest,
        num_sequences=num_sequences, share=share, **options)
    num_shards = -(-num_sequences // FLAGS.shard_size)
    lines = [f"embeddings: {found.path(0)} … {found.path(num_shards - 1).name}, of which "
             f"{num_made} of {num_shards} were made now; {found.manifest.name} says of what"]
  return counts, time.perf_counter() - start, lines


if __name__ == "__main__":
  define_flags()
  app.run(main, flags_parser=command_line.parse_flags)
