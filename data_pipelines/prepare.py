r"""Raw files -> prepared data set: `python -m data_pipelines.prepare`.

  python -m data_pipelines.prepare --dataset=barcodes --input=my.tsv.gz --data_dir=data
  python -m data_pipelines.prepare --dataset=genome --input=chr1.fa.gz,chr2.fa.gz \
      --data_dir=data --name=human
  python -m data_pipelines.prepare --dataset=labelled --data_dir=data --name=mine \
      --input=train=train.csv,test=test.csv
  python -m data_pipelines.prepare --dataset=simulated_barcodes --data_dir=data
  python -m data_pipelines.prepare --dataset=simulated_genome --data_dir=data
"""

import dataclasses
import importlib
import time

from absl import app, flags

from dnajax import command_line, errors

FLAGS = flags.FLAGS
# Flags of one kind of data set, refused with another one.
_BARCODES = ("preset", "columns", "header_pattern", "absent", "exclude", "exclude_by",
             "deduplicate", "min_length", "max_length", "max_unknown", "alphabet",
             "on_bad_letters", "strip_n")
_GENOME = ("windows", "window_length", "shortest_window", "stride", "start_offset",
           "n_policy", "split_by", "valid_share", "valid_contigs", "block_length", "seed")
_LABELLED = ("preset", "columns", "num_sets", "exclude_overlap", "min_length", "max_length",
             "max_unknown", "alphabet", "on_bad_letters")
_FLAGS_OF = {"barcodes": ("input", "name", *_BARCODES), "genome": ("input", "name", *_GENOME),
             "labelled": ("input", "name", *_LABELLED),
             "simulated_barcodes": ("simulate",), "simulated_genome": ("simulate",)}


def define_flags():
  """Flags of the command; not at import, where several commands would clash."""
  flags.DEFINE_enum(
      "dataset", None, list(_FLAGS_OF), "What to prepare.")
  flags.DEFINE_string(
      "data_dir", None, "Where prepared data sets go: DATA_DIR/DATASET[/NAME]/VERSION.")
  flags.DEFINE_boolean(
      "overwrite", False, "Replace a prepared data set of the same name.")
  flags.DEFINE_list(
      "input", None, "TSV, CSV, Parquet, FASTA or FASTQ files, plain or compressed. "
      "SPLIT=FILE puts all rows of a file into one split. For genome: FASTA files. For "
      "labelled: SPLIT=FILE, or the directory of a task with {train,dev,test} tables.")
  flags.DEFINE_string(
      "name", None, "Name of the data set. Default: from the first input file.")
  flags.DEFINE_string(
      "preset", "auto", "Layout of the tables: bioscan5m, bold, canada1.5m, plain, or auto "
      "for the one that finds most columns. For labelled: gue/GROUP/TASK or "
      "fewshot/TASK/SHOTS, below the directory --input.")
  flags.DEFINE_list(
      "columns", [], "FIELD:COLUMN pairs that count before the preset. Fields: sequence, "
      "id, split, phylum, class, order, family, subfamily, genus, species, bin; for "
      "labelled: sequence, label.")
  flags.DEFINE_string(
      "header_pattern", None, "For FASTA: regular expression with groups named like the "
      r"fields, for example '(?P<id>\S+) (?P<species>(?P<genus>\w+) \w+)'.")
  flags.DEFINE_list(
      "absent", None, "Cells that mean 'no value' besides the empty one. Default: the "
      "preset's. 'NA' and 'nan' are names unless given here.")
  flags.DEFINE_multi_string(
      "exclude", [], "FILE or FILE:split1,split2: leave out what occurs there. Repeatable.")
  flags.DEFINE_list(
      "exclude_by", ["sequence", "id"], "What counts as occurring: sequence, id, species.")
  flags.DEFINE_boolean(
      "deduplicate", False, "Keep only the first row of equal sequences, over all splits.")
  flags.DEFINE_integer("min_length", 1, "Base pairs.", lower_bound=1)
  flags.DEFINE_integer("max_length", 0, "Base pairs; 0: no limit.", lower_bound=0)
  flags.DEFINE_string(
      "max_unknown", "", "Most letters other than ACGT: a share (0.02, 2%) or a number.")
  flags.DEFINE_enum(
      "alphabet", "iupac", ["iupac", "acgtn"], "iupac: ambiguity letters are kept as they "
      "are; acgtn: sequences with any besides N are dropped.")
  flags.DEFINE_enum(
      "on_bad_letters", "error", ["error", "drop"], "For letters outside IUPAC, and for "
      "words that are no overlapping k-mers.")
  flags.DEFINE_boolean("strip_n", True, "Remove N at both ends.")
  flags.DEFINE_list(
      "simulate", [], "KEY=VALUE settings of simulated_barcodes or simulated_genome, for "
      "example seed=1; all of them: data_pipelines/simulated_*/settings.py.")
  _define_genome_flags()
  _define_labelled_flags()


def _define_labelled_flags():
  flags.DEFINE_integer(
      "num_sets", None, "Training sets that the train file holds; they become splits "
      "train_0, train_1, ... Default: 1, or of the preset.", lower_bound=1)
  flags.DEFINE_enum(
      "exclude_overlap", None, ["none", "train", "test"], "train: leave out of training what "
      "occurs in dev or test; test: leave out of dev and test what occurs in training. "
      "Default: none, or of the preset.")


def _define_genome_flags():
  flags.DEFINE_enum(
      "windows", "mixed", ["mixed", "fixed"], "mixed: consecutive windows, half of them of "
      "full length, the others of random length; fixed: all of full length.")
  flags.DEFINE_integer("window_length", 511, "Base pairs of a full window.", lower_bound=2)
  flags.DEFINE_integer("shortest_window", 6, "Shorter ones are dropped.", lower_bound=1)
  flags.DEFINE_integer(
      "stride", 0, "For fixed: base pairs from one window to the next; 0: no overlap.",
      lower_bound=0)
  flags.DEFINE_integer(
      "start_offset", 1000, "For mixed: most base pairs left out at the start of a contig; "
      "the number is drawn.", lower_bound=0)
  flags.DEFINE_enum(
      "n_policy", "split", ["split", "delete"], "split: no window crosses a run of N; "
      "delete: N is taken out and its flanks joined, as published.")
  flags.DEFINE_enum(
      "split_by", "position", ["position", "contig"], "What goes to split valid: blocks of "
      "every contig, or whole contigs.")
  flags.DEFINE_float("valid_share", 0.1, "Chance of a block or contig to go to valid.")
  flags.DEFINE_list("valid_contigs", [], "For contig: the names that go to valid.")
  flags.DEFINE_integer("block_length", 100_000, "For position: base pairs of a block.")
  flags.DEFINE_integer("seed", 0, "Decides splits, offsets and window lengths.")


def prepare_barcodes(inputs, data_dir, **options):
  """Prepares `barcodes`; the keywords are those of barcodes.ingest.Options.

  Returns:
    (directory, summary).
  """
  from data_pipelines.barcodes import ingest
  return ingest.prepare(inputs, data_dir, **options)


def prepare_genome(inputs, data_dir, **options):
  """Prepares `genome`; the keywords are those of genome.ingest.prepare.

  Returns:
    (directory, summary).
  """
  from data_pipelines.genome import ingest
  return ingest.prepare(inputs, data_dir, **options)


def prepare_labelled(inputs, data_dir, **options):
  """Prepares `labelled`; the keywords are those of labelled.ingest.prepare.

  Returns:
    (directory, summary).
  """
  from data_pipelines.labelled import ingest
  return ingest.prepare(inputs, data_dir, **options)


def prepare_simulated(data_dir, *, overwrite=False, show_progress=True, **settings):
  """Prepares `simulated_barcodes`, the default data set.

  Args:
    data_dir: where the data sets are.
    overwrite: replace one that is there.
    show_progress: a bar while writing.
    **settings: fields of simulated_barcodes.settings.Settings.

  Returns:
    (directory, summary).
  """
  from data_pipelines import write
  from data_pipelines.simulated_barcodes import builder, simulate
  from data_pipelines.simulated_barcodes import settings as settings_lib

  chosen = settings_lib.Settings(**settings)
  return write.write(
      builder_class=builder.SimulatedBarcodes, data_dir=data_dir,
      fill=lambda spool: simulate.fill(spool, chosen), overwrite=overwrite,
      pmi_of="pretrain",
      options=dataclasses.asdict(chosen), show_progress=show_progress)


def prepare_simulated_genome(data_dir, **options):
  """Prepares `simulated_genome`; keywords as `prepare_simulated`, with the settings of
  simulated_genome.settings.Settings.

  Returns:
    (directory, summary); genome.fa.gz and motifs.tsv lie in the directory.
  """
  from data_pipelines.simulated_genome import ingest
  return ingest.prepare(data_dir, **options)


GENERATED = {"simulated_barcodes": prepare_simulated,
             "simulated_genome": prepare_simulated_genome}


def prepare_generated(name, data_dir, **options):
  """Prepares a data set that needs no input.

  Args:
    name: one of GENERATED.
    data_dir: where the data sets are.
    **options: overwrite, show_progress and the settings of the simulation.

  Returns:
    (directory, summary).

  Raises:
    UserError: there is no such data set, or one of this name is there already.
  """
  if name not in GENERATED:
    raise errors.UserError(f"Data set {name!r} cannot be generated. These can: "
                           f"{', '.join(GENERATED)}.")
  return GENERATED[name](data_dir, **options)


def _from_flags():
  dataset = FLAGS.dataset
  own = _FLAGS_OF[dataset]
  for flag in sorted({flag for names in _FLAGS_OF.values() for flag in names} - set(own)):
    if FLAGS[flag].present:
      fits = [name for name, names in _FLAGS_OF.items() if flag in names]
      raise errors.UserError(f"{dataset} takes no --{flag}. It belongs to --dataset="
                             f"{' or '.join(fits)}.")
  if dataset in GENERATED:
    settings_lib = importlib.import_module(f"data_pipelines.{dataset}.settings")
    from data_pipelines.simulated_barcodes import settings as parser
    return prepare_generated(dataset, FLAGS.data_dir, overwrite=FLAGS.overwrite,
                             **parser.parse(FLAGS.simulate, settings_lib.Settings))
  if not FLAGS.input:
    kinds = {"genome": "FILE (FASTA)", "barcodes": "FILE (TSV, CSV, Parquet or FASTA)",
             "labelled": "SPLIT=FILE,... (TSV, CSV or Parquet) or a directory"}
    raise errors.UserError(f"{dataset} needs --input={kinds[dataset]}.")
  return {"genome": _genome_from_flags, "barcodes": _barcodes_from_flags,
          "labelled": _labelled_from_flags}[dataset]()


def _genome_from_flags():
  from data_pipelines import windows
  # 1000 is the default of the flag; only `mixed` has an offset.
  if FLAGS.windows == "fixed" and FLAGS["start_offset"].present:
    raise errors.UserError("--start_offset belongs to --windows=mixed.")
  return prepare_genome(
      FLAGS.input, FLAGS.data_dir, name=FLAGS.name, overwrite=FLAGS.overwrite,
      cuts=windows.Cuts(
          mode=FLAGS.windows, length=FLAGS.window_length, shortest=FLAGS.shortest_window,
          stride=FLAGS.stride, start_offset=FLAGS.start_offset, n_policy=FLAGS.n_policy),
      split_by=FLAGS.split_by, valid_share=FLAGS.valid_share,
      valid_contigs=tuple(FLAGS.valid_contigs), block_length=FLAGS.block_length,
      seed=FLAGS.seed)


def _barcodes_from_flags():
  return prepare_barcodes(
      FLAGS.input, FLAGS.data_dir, name=FLAGS.name, preset=FLAGS.preset,
      columns=_parse_columns(FLAGS.columns), header_pattern=FLAGS.header_pattern,
      absent=FLAGS.absent, exclude=FLAGS.exclude, exclude_by=FLAGS.exclude_by,
      deduplicate=FLAGS.deduplicate, overwrite=FLAGS.overwrite,
      policy=_policy_from_flags(strip_n=FLAGS.strip_n))


def _labelled_from_flags():
  return prepare_labelled(
      FLAGS.input, FLAGS.data_dir, name=FLAGS.name, overwrite=FLAGS.overwrite,
      preset=None if FLAGS.preset == "auto" else FLAGS.preset,
      columns=_parse_columns(FLAGS.columns), num_sets=FLAGS.num_sets,
      exclude_overlap=FLAGS.exclude_overlap, policy=_policy_from_flags(strip_n=False))


def _policy_from_flags(strip_n):
  from data_pipelines import cleaning
  return cleaning.Policy(
      min_length=FLAGS.min_length, max_length=FLAGS.max_length,
      max_unknown=cleaning.parse_max_unknown(FLAGS.max_unknown),
      alphabet=FLAGS.alphabet, on_bad_letters=FLAGS.on_bad_letters, strip_n=strip_n)


def _parse_columns(pairs):
  columns = {}
  for pair in pairs:
    field, _, column = pair.partition(":")
    if not column:
      raise errors.UserError(f"--columns={pair!r}: write FIELD:COLUMN, for example "
                             "genus:genus_name.")
    columns[field.strip()] = column.strip()
  return columns


@errors.exit_cleanly
def main(argv):
  """Flags -> prepared data set, then a summary."""
  if len(argv) > 1:
    raise errors.UserError(f"Unknown argument {argv[1]!r}. Flags are written --name=value.")
  for name in ("dataset", "data_dir"):
    if not FLAGS[name].value:
      raise errors.UserError(f"--{name} is missing. See --help.")
  start = time.perf_counter()
  directory, summary = _from_flags()
  from data_pipelines import summary_text
  print(summary_text.describe(summary, directory, data_dir=FLAGS.data_dir,
                              seconds=time.perf_counter() - start))
  if FLAGS.dataset == "labelled":
    from data_pipelines.labelled import describe
    print(describe.describe(summary))


if __name__ == "__main__":
  define_flags()
  app.run(main, flags_parser=command_line.parse_flags)
