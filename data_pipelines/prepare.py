r"""Raw files -> prepared data set: `python -m data_pipelines.prepare`.

  python -m data_pipelines.prepare --dataset=barcodes --input=my.tsv.gz --data_dir=data
  python -m data_pipelines.prepare --dataset=simulated_barcodes --data_dir=data
"""

import dataclasses
import time

from absl import app, flags

from dnajax import errors

FLAGS = flags.FLAGS


def define_flags():
  """Flags of the command; not at import, where several commands would clash."""
  flags.DEFINE_enum(
      "dataset", None, ["barcodes", "simulated_barcodes"], "What to prepare.")
  flags.DEFINE_string(
      "data_dir", None, "Where prepared data sets go: DATA_DIR/DATASET[/NAME]/VERSION.")
  flags.DEFINE_boolean(
      "overwrite", False, "Replace a prepared data set of the same name.")
  flags.DEFINE_list(
      "input", None, "TSV, CSV, Parquet, FASTA or FASTQ files, plain or compressed. "
      "SPLIT=FILE puts all rows of a file into one split.")
  flags.DEFINE_string(
      "name", None, "Name of the data set. Default: from the first input file.")
  flags.DEFINE_string(
      "preset", "auto", "Layout of the tables: bioscan5m, bold, canada1.5m, plain, or auto "
      "for the one that finds most columns.")
  flags.DEFINE_list(
      "columns", [], "FIELD:COLUMN pairs that count before the preset. Fields: sequence, "
      "id, split, phylum, class, order, family, subfamily, genus, species, bin.")
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
      "on_bad_letters", "error", ["error", "drop"], "For letters outside IUPAC.")
  flags.DEFINE_boolean("strip_n", True, "Remove N at both ends.")
  flags.DEFINE_list(
      "simulate", [], "KEY=VALUE settings of simulated_barcodes, for example seed=1,"
      "orders=4; all of them: data_pipelines/simulated_barcodes/settings.py.")


def prepare_barcodes(inputs, data_dir, **options):
  """Prepares `barcodes`; the keywords are those of barcodes.ingest.Options.

  Returns:
    (directory, summary).
  """
  from data_pipelines.barcodes import ingest
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
      options=dataclasses.asdict(chosen), show_progress=show_progress)


def _from_flags():
  if FLAGS.dataset == "simulated_barcodes":
    if FLAGS.input:
      raise errors.UserError("simulated_barcodes takes no --input. For your own file use "
                             "--dataset=barcodes.")
    from data_pipelines.simulated_barcodes import settings as settings_lib
    return prepare_simulated(FLAGS.data_dir, overwrite=FLAGS.overwrite,
                             **settings_lib.parse(FLAGS.simulate))
  if not FLAGS.input:
    raise errors.UserError("barcodes needs --input=FILE (TSV, CSV, Parquet or FASTA).")
  if FLAGS.simulate:
    raise errors.UserError("--simulate belongs to --dataset=simulated_barcodes.")
  from data_pipelines import cleaning
  return prepare_barcodes(
      FLAGS.input, FLAGS.data_dir, name=FLAGS.name, preset=FLAGS.preset,
      columns=_parse_columns(FLAGS.columns), header_pattern=FLAGS.header_pattern,
      absent=FLAGS.absent, exclude=FLAGS.exclude, exclude_by=FLAGS.exclude_by,
      deduplicate=FLAGS.deduplicate, overwrite=FLAGS.overwrite,
      policy=cleaning.Policy(
          min_length=FLAGS.min_length, max_length=FLAGS.max_length,
          max_unknown=cleaning.parse_max_unknown(FLAGS.max_unknown),
          alphabet=FLAGS.alphabet, on_bad_letters=FLAGS.on_bad_letters,
          strip_n=FLAGS.strip_n))


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


@errors.exit_cleanly
def parse_flags(argv):
  """A wrong flag is a UserError like any other mistake."""
  try:
    return FLAGS(argv)
  except flags.Error as error:
    raise errors.UserError(f"{error}. See --help.") from None


if __name__ == "__main__":
  define_flags()
  app.run(main, flags_parser=parse_flags)
