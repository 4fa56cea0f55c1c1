"""Names with probabilities: `python -m dnajax.identify`.

Queries are compared with a library of references that have names. In Python:
`identify.fit("runs/mine", "references.tsv").identify(["ACGT…", …])`.
"""

import dataclasses
import os
import time

from absl import app, flags, logging

import dnajax
from dnajax.shell import command_line, errors

FLAGS = flags.FLAGS


def fit(workdir, references, *, columns=None, header_pattern=None, step="best", adapt=True,
        strand="forward", say=print):
  """A library that is ready to name sequences.

  Args:
    workdir: of a training run whose encoder is used, if k-mers are not better on these
      references; None for k-mers.
    references: path of a table or FASTA with names, or a references.References.
    columns, header_pattern: see `identification.references.read`.
    step, strand: see `dnajax.load`.
    adapt: see `identification.fitting.fit`.
    say: called with lines about the library.

  Returns:
    identification.identifier.Identifier.

  Raises:
    UserError: wrong files, or no encoder.
  """
  embedder = dnajax.load(workdir, step=step) if workdir else None
  if isinstance(references, str | os.PathLike):
    references = _read(embedder, str(references), columns, header_pattern)
  return _fit(embedder, references, adapt, strand, say)


def load(index, workdir=None, *, step="best"):
  """The Identifier of an index that the command wrote; see `fit`."""
  from dnajax.identification import index as index_lib
  return index_lib.load(index, dnajax.load(workdir, step=step) if workdir else None)


def _read(embedder, path, columns, header_pattern, **limits):
  """(References of a file, cleaned as the encoder's training data; that Cleaning)."""
  from data_pipelines import cleaning as cleaning_lib
  from dnajax.identification import references as references_lib
  cleaning = embedder.cleaning if embedder else cleaning_lib.Cleaning()
  return references_lib.read(path, columns, header_pattern=header_pattern, cleaning=cleaning,
                             **limits)


def _fit(embedder, references, adapt, strand, say):
  from dnajax.identification import features, fitting
  from dnajax.identification import references as references_lib
  for line in references_lib.in_words(references):
    say(line)
  choices = [*([features.encoder(embedder)] if embedder else []), features.Kmers()]
  made = fitting.fit(references, choices, adapt=adapt, strand=strand, say=say,
                     is_novel=fitting.novel(references, embedder.trained.meta)
                     if embedder else None)
  return dataclasses.replace(made, cleaning=embedder.cleaning) if embedder else made


def define_flags():
  """Flags of the command; not at import, where several commands would clash."""
  from data_pipelines import files, formats
  from dnajax.identification import call_files, comparison
  kinds = formats.in_words()
  flags.DEFINE_string("workdir", None, "Directory of a training run, whose encoder is used if "
                      "k-mers are not better on these references. Without it: k-mers.")
  flags.DEFINE_string("references", None, f"Sequences with names: {kinds}, plain or "
                      "compressed; a table with columns of ranks, or FASTA with "
                      "--header_pattern or with headers as SINTAX's.")
  flags.DEFINE_string("index", None, "Folder where the prepared references are kept, and from "
                      "where they are taken if --references is absent.")
  flags.DEFINE_string("queries", None, f"Sequences to be named: {kinds}.")
  flags.DEFINE_string("output", None, "File to write; beside it a picture (.png), and what is "
                      "odd about the references (.references.tsv).")
  flags.DEFINE_enum("format", "tsv", list(call_files.FORMATS), "A table with a line of names, "
                    "or what SINTAX or BLAST (-outfmt 6) write.")
  flags.DEFINE_float("min_probability", None, "Names below it are left empty; 0 calls always. "
                     "Default: for each rank where 95 % of such calls are right.",
                     lower_bound=0, upper_bound=1)
  flags.DEFINE_float("unknown_share", None, "Share of the queries whose genus no reference is "
                     "of; probabilities depend on it. Default: estimated from the queries.",
                     lower_bound=0.001, upper_bound=0.999)
  flags.DEFINE_integer("num_hits", 5, "References of each query in --format=blast6.",
                       lower_bound=1)
  flags.DEFINE_enum("strand", "forward", ["forward", "reverse", "either"], "Of the queries: as "
                    "written, its reverse complement, or whichever looks more like the "
                    "references.")
  flags.DEFINE_integer("batch_size", 512, "Queries per step.", lower_bound=1)
  flags.DEFINE_string("step", "best", "Checkpoint to use: best, latest, or a number.")
  flags.DEFINE_list("columns", [], "Columns of the references, as sequence:NAME,genus:NAME; "
                    "default by the names that known layouts use.")
  flags.DEFINE_list("query_columns", [], "The same of the queries.")
  flags.DEFINE_string("header_pattern", None, "Regular expression with groups named as ranks, "
                      "found in the FASTA headers of the references.")
  flags.DEFINE_list("compare", [], "Instead of naming queries whose names are known: put these "
                    f"methods beside each other ({', '.join(comparison.METHODS)}; all), and write "
                    "a table to --output. Without --queries: parts of the references, among "
                    "them whole species, genera and families that are left out.")
  flags.DEFINE_list("compare_workdirs", [], "Runs whose encoders --compare puts beside the "
                    "rest, by their nearest reference: a k-mer bag trained on this library, "
                    "for example.")
  flags.DEFINE_integer("seed", 0, "Of what --compare leaves out of the references.")
  flags.DEFINE_integer("threads", None, "Of other programs in --compare; default all cores.",
                       lower_bound=1)
  flags.DEFINE_bool("adapt", None, "Make the features over for these references, if that finds "
                    "more genera of species that were kept out of it. Default: yes, or as the "
                    "--index was made.")
  flags.DEFINE_bool("approximate", False, "Search a graph of the references (usearch) instead of "
                    "all: for millions of them.")
  flags.DEFINE_integer("max_record_bp", files.MAX_RECORD_BP, files.MAX_RECORD_HELP, lower_bound=1)
  flags.DEFINE_bool("overwrite", False, "Replace an existing output or index.")


@errors.exit_cleanly
def main(argv):
  """Flags -> calls."""
  if argv[1:]:
    raise errors.UserError(f"Unexpected arguments: {' '.join(argv[1:])}.")
  logging.set_verbosity(logging.WARNING)
  _check_flags()
  from dnajax.devices import host_memory
  from dnajax.identification import approximate, run, tables
  host_memory.keep_freed_memory_on_cpu()
  start = time.perf_counter()
  embedder = dnajax.load(FLAGS.workdir, step=FLAGS.step) if FLAGS.workdir else None
  references, held_out = None, None
  if FLAGS.references:
    references = _read(embedder, FLAGS.references, _pairs(FLAGS.columns), FLAGS.header_pattern,
                       max_record_bp=FLAGS.max_record_bp)
    if FLAGS.compare and not FLAGS.queries:
      references, *held_out = _left_out(embedder, references)
  made = run.prepare(FLAGS.index, embedder, references,
                     lambda: _fit(embedder, references, FLAGS.adapt is not False,
                                  FLAGS.strand, print),
                     overwrite=FLAGS.overwrite, adapt=FLAGS.adapt, strand=FLAGS.strand)
  made = dataclasses.replace(
      made, shares=_shares(made.references.ranks),
      graph=approximate.Graph(made.keys) if FLAGS.approximate else None)
  print(f"{len(made.references.ids):,} references ready after "
        f"{time.perf_counter() - start:.0f} s")
  if FLAGS.compare:
    queries, wanted = held_out or tables.named_queries(
        made, FLAGS.queries, _pairs(FLAGS.query_columns), header_pattern=FLAGS.header_pattern,
        max_record_bp=FLAGS.max_record_bp)
    tables.write(FLAGS.output, tables.compare(
        made, queries, wanted, methods=_methods(), threads=FLAGS.threads, others=_others()))
    print(f"table: {FLAGS.output}")
  elif FLAGS.output:
    run.identify_file(
        made, FLAGS.queries, FLAGS.output, columns=_pairs(FLAGS.query_columns),
        kind=FLAGS.format, min_probability=FLAGS.min_probability, num_hits=FLAGS.num_hits,
        batch_size=FLAGS.batch_size, max_record_bp=FLAGS.max_record_bp)


def _shares(ranks):
  """{rank: share of queries of unknown taxa} as --unknown_share says it, or None."""
  if FLAGS.unknown_share is None:
    return None
  return {rank: FLAGS.unknown_share for rank in ranks if rank != "species"}


def _left_out(embedder, everything):
  """(references without some taxa, what was left out: sequences, their names)."""
  from dnajax.identification import fitting, held_out, novelty
  is_novel = fitting.novel(everything, embedder.trained.meta) if embedder else None
  if is_novel is not None and is_novel.sum() < held_out.ENOUGH:
    is_novel = None
  kept, ids = novelty.hold_out(everything, allowed=is_novel, seed=FLAGS.seed)
  names = {rank: column[ids] for rank, column in everything.names.items()}
  return kept, [everything.sequences[i] for i in ids], novelty.wanted(kept, names)


def _methods():
  from dnajax.identification import comparison
  chosen = comparison.METHODS if FLAGS.compare == ["all"] else FLAGS.compare
  for name in chosen:
    if name not in comparison.METHODS:
      raise errors.UserError(f"--compare={name}: unknown. Known: all, "
                             f"{', '.join(comparison.METHODS)}.")
  return chosen


def _others():
  from dnajax.identification import features
  return {workdir: features.Encoder(dnajax.load(workdir, step=FLAGS.step), workdir)
          for workdir in FLAGS.compare_workdirs}


def _check_flags():
  from dnajax.identification import call_files
  if not (FLAGS.references or FLAGS.index):
    raise errors.UserError("--references is missing (or --index, of references prepared "
                           "before). See --help.")
  if FLAGS.compare:
    _methods()
    if not FLAGS.output:
      raise errors.UserError("--compare needs --output, a file for the table.")
    if not (FLAGS.queries or FLAGS.references):
      raise errors.UserError("--compare needs --references, or --index and --queries with names.")
  elif FLAGS.compare_workdirs:
    raise errors.UserError("--compare_workdirs belongs to --compare.")
  elif bool(FLAGS.queries) != bool(FLAGS.output):
    raise errors.UserError("--queries and --output belong together.")
  if not (FLAGS.output or (FLAGS.references and FLAGS.index)):
    raise errors.UserError("There is nothing to do: give --queries and --output, or "
                           "--references and --index.")
  if FLAGS.output:
    call_files.check(FLAGS.output, overwrite=FLAGS.overwrite)


def _pairs(columns):
  pairs = [text if ":" in text else f"sequence:{text}" for text in columns]
  return dict(text.split(":", 1) for text in pairs)


if __name__ == "__main__":
  define_flags()
  app.run(main, flags_parser=command_line.parse_flags)
