"""Flags of the prepare command: what there are, and which data set takes which."""

from absl import flags

from data_pipelines import cleaning as cleaning_lib
from data_pipelines import files, formats
from dnajax.shell import errors

FLAGS = flags.FLAGS

# Flags of one kind of data set, refused with another one.
_BEAM = ("beam_dir", "beam_options")
_BARCODES = ("preset", "columns", "header_pattern", "absent", "exclude", "exclude_by",
             "hold_out", "deduplicate", "min_length", "max_length", "max_unknown", "alphabet",
             "on_bad_letters", "trim", "max_record_bp", *_BEAM)
_GENOME = ("windows", "window_length", "shortest_window", "stride", "start_offset",
           "n_policy", "split_by", "valid_share", "valid_contigs", "block_length", "seed",
           *_BEAM)
_LABELLED = ("preset", "columns", "num_sets", "exclude_overlap", "min_length", "max_length",
             "max_unknown", "alphabet", "on_bad_letters", "max_record_bp", *_BEAM)
FLAGS_OF = {"barcodes": ("input", "name", *_BARCODES), "genome": ("input", "name", *_GENOME),
            "labelled": ("input", "name", *_LABELLED),
            "simulated_barcodes": ("simulate",), "simulated_genome": ("simulate",)}


def define():
  """Flags of the command; not at import, where several commands would clash."""
  flags.DEFINE_enum(
      "dataset", None, list(FLAGS_OF), "What to prepare.")
  flags.DEFINE_string(
      "data_dir", None, "Where prepared data sets go: DATA_DIR/DATASET[/NAME]/VERSION. May be "
      "gs://... or s3://...")
  flags.DEFINE_boolean(
      "overwrite", False, "Replace a prepared data set of the same name.")
  flags.DEFINE_list(
      "input", None, f"Files: {formats.in_words()}, plain or compressed. SPLIT=FILE puts all "
      "rows of a file into one split. For genome: FASTA files. For labelled: SPLIT=FILE, or "
      "the directory of a task with {train,dev,test} tables.")
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
      "exclude_by", ["sequence", "id"], "What counts as occurring: sequence, id, species, "
      "bin.")
  flags.DEFINE_float(
      "hold_out", 0, "Share of the species that go to split unseen, with all their rows, so "
      "that it can be measured what is made of species never seen; the others of a table "
      "without splits then go to train.", lower_bound=0, upper_bound=0.9)
  flags.DEFINE_boolean(
      "deduplicate", False, "Keep only the first row of equal sequences, over all splits.")
  flags.DEFINE_integer("min_length", 1, "Base pairs.", lower_bound=1)
  flags.DEFINE_integer("max_length", 0, "Base pairs; 0: no limit.", lower_bound=0)
  flags.DEFINE_integer(
      "max_record_bp", files.MAX_RECORD_BP, files.MAX_RECORD_HELP, lower_bound=1)
  flags.DEFINE_string(
      "max_unknown", "", "Most letters other than ACGT: a share (0.02, 2%) or a number.")
  flags.DEFINE_enum(
      "alphabet", "iupac", ["iupac", "acgtn"], "iupac: ambiguity letters are kept as they "
      "are; acgtn: sequences with any besides N are dropped.")
  flags.DEFINE_enum(
      "on_bad_letters", "error", ["error", "drop"], "For letters outside IUPAC, and for "
      "words that are no overlapping k-mers.")
  flags.DEFINE_string(
      "beam_dir", None, "Read the input files at the same time on Apache Beam (extra beam) and "
      "keep what was read here, a folder that all workers have mounted.")
  flags.DEFINE_multi_string(
      "beam_options", [], "For Beam, for example --beam_options=--runner=FlinkRunner. "
      "Repeatable. Default: DirectRunner.")
  flags.DEFINE_boolean("trim", True, "Remove N at both ends.")
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


def check():
  """UserError for a flag that belongs to another kind of data set, or lacks its partner."""
  dataset = FLAGS.dataset
  own = FLAGS_OF[dataset]
  for flag in sorted({flag for names in FLAGS_OF.values() for flag in names} - set(own)):
    if FLAGS[flag].present:
      fits = [name for name, names in FLAGS_OF.items() if flag in names]
      raise errors.UserError(f"{dataset} takes no --{flag}. It belongs to --dataset="
                             f"{' or '.join(fits)}.")
  if FLAGS.beam_options and not FLAGS.beam_dir:
    raise errors.UserError("--beam_options needs --beam_dir=FOLDER, where Beam's workers leave "
                           "what they read.")


def policy(cleaning):
  """The cleaning.Policy of the flags, with a Cleaning."""
  return cleaning_lib.Policy(
      cleaning, min_length=FLAGS.min_length, max_length=FLAGS.max_length,
      max_unknown=cleaning_lib.parse_max_unknown(FLAGS.max_unknown),
      alphabet=FLAGS.alphabet, on_bad_letters=FLAGS.on_bad_letters)


def columns():
  """--columns as {field: column}."""
  found = {}
  for pair in FLAGS.columns:
    field, _, column = pair.partition(":")
    if not column:
      raise errors.UserError(f"--columns={pair!r}: write FIELD:COLUMN, for example "
                             "genus:genus_name.")
    found[field.strip()] = column.strip()
  return found
