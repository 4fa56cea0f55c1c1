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

from data_pipelines import cleaning, formats, prepare_flags
from dnajax.shell import command_line, errors

FLAGS = flags.FLAGS


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
      pmi_of="pretrain", cleaning=simulate.CLEANING, options=dataclasses.asdict(chosen),
      show_progress=show_progress)


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
  prepare_flags.check()
  if dataset in GENERATED:
    settings_lib = importlib.import_module(f"data_pipelines.{dataset}.settings")
    from data_pipelines.simulated_barcodes import settings as parser
    return prepare_generated(dataset, FLAGS.data_dir, overwrite=FLAGS.overwrite,
                             **parser.parse(FLAGS.simulate, settings_lib.Settings))
  if not FLAGS.input:
    tables = formats.in_words(tables_only=True)
    kinds = {"genome": "FILE (FASTA)", "barcodes": f"FILE ({formats.in_words()})",
             "labelled": f"SPLIT=FILE,... ({tables}) or a directory"}
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
      seed=FLAGS.seed, beam_dir=FLAGS.beam_dir, beam_options=FLAGS.beam_options)


def _barcodes_from_flags():
  return prepare_barcodes(
      FLAGS.input, FLAGS.data_dir, name=FLAGS.name, preset=FLAGS.preset,
      columns=prepare_flags.columns(), header_pattern=FLAGS.header_pattern,
      absent=FLAGS.absent, exclude=FLAGS.exclude, exclude_by=FLAGS.exclude_by,
      hold_out=FLAGS.hold_out, deduplicate=FLAGS.deduplicate, overwrite=FLAGS.overwrite,
      max_record_bp=FLAGS.max_record_bp, beam_dir=FLAGS.beam_dir,
      beam_options=FLAGS.beam_options,
      policy=prepare_flags.policy(cleaning.Cleaning(trim=FLAGS.trim)))


def _labelled_from_flags():
  from data_pipelines.labelled import ingest
  return prepare_labelled(
      FLAGS.input, FLAGS.data_dir, name=FLAGS.name, overwrite=FLAGS.overwrite,
      preset=None if FLAGS.preset == "auto" else FLAGS.preset,
      columns=prepare_flags.columns(), num_sets=FLAGS.num_sets,
      exclude_overlap=FLAGS.exclude_overlap, max_record_bp=FLAGS.max_record_bp,
      beam_dir=FLAGS.beam_dir, beam_options=FLAGS.beam_options,
      policy=prepare_flags.policy(ingest.CLEANING))


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
  prepare_flags.define()
  app.run(main, flags_parser=command_line.parse_flags)
