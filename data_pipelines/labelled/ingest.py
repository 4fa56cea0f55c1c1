"""Tables of sequence and label -> records in a spool, and what the splits share."""

import collections
import dataclasses
import functools
import os
import pathlib

import tqdm

from data_pipelines import cleaning, exclusion, write
from data_pipelines import files as files_lib
from data_pipelines import spool as spool_lib
from data_pipelines.barcodes import ingest as barcodes
from data_pipelines.labelled import presets, rows
from data_pipelines.labelled import survey as survey_lib
from dnajax.shell import errors

EXCLUDE_OVERLAP = ("none", "train", "test")
_MOST_SETS = 50               # each is a split, and the spool holds 64
# Bases at the ends stay: in these sets a position counts from a site, often the middle.
CLEANING = cleaning.Cleaning(trim=False, join_kmers=True)
POLICY = cleaning.Policy(CLEANING)


@dataclasses.dataclass(frozen=True)
class Options:
  """How tables are read and what is kept; see the flags of prepare.py.

  columns: {"sequence": column, "label": column}.
  num_sets: the rows of split `train` become train_0, train_1, ...
  shots: rows per class and training set that must be there; 0: any number.
  exclude_overlap: "train": rows whose sequence is in another split leave the training
    splits; "test": rows whose sequence is in a training split leave the others.
  policy: cleaning.Policy.
  """
  columns: dict = dataclasses.field(default_factory=lambda: dict(rows.COLUMNS))
  num_sets: int = 1
  shots: int = 0
  exclude_overlap: str = "none"
  policy: cleaning.Policy = POLICY
  max_record_bp: int = files_lib.MAX_RECORD_BP

  def __post_init__(self):
    unknown = sorted(set(self.columns) - set(rows.COLUMNS))
    if unknown:
      raise errors.UserError(f"--columns: unknown field {unknown[0]!r}. Known: "
                             f"{', '.join(rows.COLUMNS)}.")
    if self.exclude_overlap not in EXCLUDE_OVERLAP:
      raise errors.UserError(f"--exclude_overlap is one of {', '.join(EXCLUDE_OVERLAP)}.")
    if not 1 <= self.num_sets <= _MOST_SETS:
      raise errors.UserError(f"--num_sets={self.num_sets} has to be in 1..{_MOST_SETS}.")


@dataclasses.dataclass
class Statistics(spool_lib.SplitStatistics):
  """Of a split, as in the summary.

  classes: {class: number of records}. num_distinct: different sequences.
  num_contradictory: those with more than one class. also_in: {split: how many of the
  different sequences occur there too}, for splits to evaluate on; "train" is all
  training splits together.
  """
  classes: dict = dataclasses.field(default_factory=dict)
  num_distinct: int = 0
  num_contradictory: int = 0
  also_in: dict = dataclasses.field(default_factory=dict)


def prepare(inputs, data_dir, *, preset=None, name=None, columns=None, num_sets=None,
            exclude_overlap=None, policy=POLICY, max_record_bp=files_lib.MAX_RECORD_BP,
            overwrite=False, show_progress=True, beam_dir=None, beam_options=()):
  """Prepares the data set `labelled/<name>`.

  Args:
    inputs: list of "SPLIT=FILE", or of one directory.
    data_dir: where the data sets are.
    preset: a name in presets.PRESETS; `inputs` is then the directory above its folder.
    name: default: of the preset, of the directory and the one above, or of the first file.
    columns: {field: column}; counts before the preset.
    num_sets, exclude_overlap: of Options; None: of the preset, or 1 and "none".
    policy: cleaning.Policy.
    max_record_bp: letters of the longest sequence that is read.
    overwrite: replace a data set of this name.
    show_progress: bars while reading and writing.
    beam_dir: read the files on Apache Beam and keep the parts here; None: here, in turn.
    beam_options: options of Beam, such as "--runner=DataflowRunner".

  Returns:
    (directory, summary); the splits of the summary are Statistics as dicts.

  Raises:
    UserError: wrong files or options.
  """
  from data_pipelines.labelled import builder

  chosen = presets.get(preset) if preset else presets.Preset("")
  if preset and num_sets not in (None, chosen.num_sets):
    raise errors.UserError(f"--preset={preset} has num_sets={chosen.num_sets}. For "
                           f"--num_sets={num_sets} name the files instead of the preset.")
  files, default_name = find(inputs, chosen if preset else None)
  options = Options(
      columns={**rows.COLUMNS, "label": chosen.label, **(columns or {})},
      num_sets=num_sets or chosen.num_sets, shots=chosen.shots,
      exclude_overlap=exclude_overlap or chosen.exclude_overlap, policy=policy,
      max_record_bp=max_record_bp)
  return write.write(
      builder_class=builder.Labelled, data_dir=data_dir,
      config_name=write.config_name(name, default_name, otherwise="labelled"),
      fill=(functools.partial(_fill_on_beam, files=files, options=options, folder=beam_dir,
                              beam_options=beam_options) if beam_dir else
            lambda spool: fill(spool, files, options, show_progress=show_progress)),
      options=dict(dataclasses.asdict(options), preset=preset), cleaning=policy.cleaning,
      overwrite=overwrite, show_progress=show_progress)


def find(inputs, preset=None):
  """The files of `inputs`.

  Args:
    inputs: as for `prepare`.
    preset: presets.Preset or None.

  Returns:
    (list of (split, path), name for the data set).
  """
  if len(inputs) == 1 and os.path.isdir(inputs[0]):
    if preset:
      return presets.preset_files(preset, inputs[0]), preset.folder.replace("/", "_")
    return (presets.folder_files(inputs[0]),
            "_".join(pathlib.Path(os.path.abspath(inputs[0])).parts[-2:]))
  if preset:
    raise errors.UserError(f"--preset={preset.folder}: --input is one directory, the one that "
                           f"holds {preset.folder.partition('/')[0]!r}; it is not "
                           f"{','.join(inputs)}.")
  files = [barcodes.parse_input(text) for text in inputs]
  for split, path in files:
    if not split:
      raise errors.UserError(f"--input={path}: say which split it is, for example "
                             f"--input=train={path}, or give the one directory of a task.")
  return files, files[0][1]


def _fill_on_beam(spool, files, options, folder, beam_options):
  from data_pipelines.beam import parts
  found = parts.make(
      files, functools.partial(_read_one, options=options), ranks=spool.ranks, folder=folder,
      options=beam_options, about=(options.columns, options.policy, options.max_record_bp))
  part_of = dict(zip(files, found, strict=True))

  def read(file, dropped, on_row):
    part = part_of[file]
    dropped.update(part.told)
    for _, row_id, bases, label in part.records():
      on_row()
      yield rows.Row(row_id, bases.encode(), label)

  return fill(spool, files, options, show_progress=False, read=read)


def _read_one(recorded, file, options):
  dropped = collections.Counter()
  for row in rows.read(file, dropped, options=options):
    recorded.add(file[0], row.id, row.bases.decode("ascii"), [row.label])
  return dropped


def fill(spool, files, options, *, show_progress, read=None):
  """Adds what is kept of `files` to the spool, in order.

  Args:
    spool: spool.Spool with the rank "label".
    files: list of (split, path).
    options: Options.
    show_progress: a bar.
    read: (one of files, Counter of dropped rows, called for each row) -> Rows; default:
      from the file.

  Returns:
    write.Source; spool.splits holds Statistics afterwards.

  Raises:
    UserError: wrong or damaged file, one class only, or classes that cannot be dealt
      out as the options say.
  """
  read = read or functools.partial(rows.read, options=options)
  survey = survey_lib.Survey(files, options, read)
  dropped, dealt = collections.Counter(), collections.Counter()
  seen = collections.defaultdict(dict)            # split -> {digest: set of classes}
  classes = collections.defaultdict(collections.Counter)
  with tqdm.tqdm(desc="reading", unit=" rows", unit_scale=True, mininterval=0.5, delay=1,
                 disable=not show_progress) as bar:
    for file in files:
      for row in read(file, dropped, bar.update):
        split, digest = file[0], exclusion.digest(row.bases)
        if options.num_sets > 1 and split == "train":
          split = f"train_{dealt[row.label] // survey.rows_per_set(row.label)}"
          dealt[row.label] += 1
        reason = survey.reason(split, digest)
        if reason:
          dropped[reason] += 1
          continue
        spool.add(split, row.id, row.bases.decode("ascii"), [row.label])
        seen[split].setdefault(digest, set()).add(row.label)
        classes[split][row.label] += 1
  for split, plain in spool.splits.items():
    spool.splits[split] = Statistics(
        **dataclasses.asdict(plain), classes=dict(sorted(classes[split].items())),
        num_distinct=len(seen[split]),
        num_contradictory=sum(len(found) > 1 for found in seen[split].values()),
        also_in=survey_lib.also_in(split, seen))
  names = set().union(*classes.values())
  if len(names) == 1:
    raise errors.UserError(
        f"All rows have the class {min(names)!r} in column {options.columns['label']!r}. Name "
        "the column of the classes with --columns=label:COLUMN.")
  kept = sum(split.num_records for split in spool.splits.values())
  return write.Source(num_read=kept + dropped.total(), dropped=dict(sorted(dropped.items())),
                      inputs=[os.path.basename(path) for _, path in files])
