"""Barcode files -> cleaned records in a spool; every dropped row has one reason."""

import collections
import dataclasses
import functools
import os
import re
import zlib

import tqdm

from data_pipelines import cleaning, exclusion, presets, sequences, write
from data_pipelines import files as files_lib
from dnajax.shell import errors

DEFAULT_SPLIT = "pretrain"
UNSEEN = "unseen"   # of species that are held out


@dataclasses.dataclass(frozen=True)
class Options:
  """How barcode files are read and what is kept; see the flags of prepare.py."""
  preset: str = "auto"
  columns: dict = dataclasses.field(default_factory=dict)
  header_pattern: str | None = None
  absent: list | None = None
  exclude: list = dataclasses.field(default_factory=list)
  exclude_by: list = dataclasses.field(default_factory=lambda: ["sequence", "id"])
  hold_out: float = 0.0
  deduplicate: bool = False
  policy: cleaning.Policy = cleaning.Policy()
  max_record_bp: int = files_lib.MAX_RECORD_BP


def prepare(inputs, data_dir, *, name=None, overwrite=False, show_progress=True,
            beam_dir=None, beam_options=(), **options):
  """Prepares the data set `barcodes/<name>`.

  Args:
    inputs: files, each "FILE" or "SPLIT=FILE".
    data_dir: where the data sets are.
    name: default is the first file's name without its endings.
    overwrite: replace a data set of this name.
    show_progress: bars while reading and writing.
    beam_dir: read the files on Apache Beam and keep the parts here; None: here, in turn.
    beam_options: options of Beam, such as "--runner=DataflowRunner".
    **options: fields of Options.

  Returns:
    (directory, summary).
  """
  options = Options(**options)
  if options.preset not in ("auto", *presets.PRESETS):
    raise errors.UserError(f"--preset={options.preset}: unknown. Known: auto, "
                           f"{', '.join(presets.PRESETS)}.")
  if not 0 <= options.hold_out <= 0.9:
    raise errors.UserError(f"--hold_out={options.hold_out}: give a share of the species, "
                           "from 0 to 0.9.")
  files = [parse_input(text) for text in inputs]
  name = write.config_name(name, files[0][1], otherwise="barcodes")
  recorded = dataclasses.asdict(options)
  recorded["exclude"] = [os.path.basename(text) for text in options.exclude]
  from data_pipelines.barcodes import builder
  return write.write(
      builder_class=builder.Barcodes, data_dir=data_dir, config_name=name,
      fill=(functools.partial(_fill_on_beam, files=files, options=options, folder=beam_dir,
                              beam_options=beam_options) if beam_dir else
            lambda spool: fill(spool, files, options, show_progress=show_progress)),
      options=recorded, cleaning=options.policy.cleaning, overwrite=overwrite,
      show_progress=show_progress)


def _fill_on_beam(spool, files, options, folder, beam_options):
  from data_pipelines.beam import parts
  excluded = [parts.state(exclusion.parse(text)[0]) for text in options.exclude]
  found = parts.make(
      files, functools.partial(_fill_one, options=options), ranks=spool.ranks, folder=folder,
      options=beam_options, about=(options, excluded))
  dropped, seen = collections.Counter(), set()
  for part in found:
    dropped.update(part.told["dropped"])
    for split, record_id, bases, *labels in part.records():
      if options.deduplicate:
        key = exclusion.digest(bases.encode())
        if key in seen:
          dropped["duplicate_sequence"] += 1
          continue
        seen.add(key)
      spool.add(split, record_id, bases, labels)
  return write.Source(num_read=sum(part.told["num_read"] for part in found),
                      dropped=dict(sorted(dropped.items())),
                      inputs=[os.path.basename(path) for _, path in files])


def _fill_one(recorded, file, options):
  source = fill(recorded, [file], options, show_progress=False)
  return {"num_read": source.num_read, "dropped": source.dropped}


def parse_input(text):
  """"FILE" or "SPLIT=FILE" -> (split or None, file)."""
  match = None if os.path.exists(text) else re.fullmatch(r"(\w+)=(.+)", text)
  return (match[1], match[2]) if match else (None, text)


def fill(spool, files, options, *, show_progress):
  """Adds what is kept of `files` to the spool, in order.

  The reasons are tried in this order and the first one counts: no split (only
  where the file has a split column), the sequence itself (cleaning.take),
  exclusion, duplicate.

  Args:
    spool: spool.Spool.
    files: list of (split or None, file).
    options: Options.
    show_progress: a bar.

  Returns:
    write.Source.
  """
  read_options = dict(columns=options.columns, preset=options.preset,
                      header_pattern=options.header_pattern, absent=options.absent,
                      max_record_bp=options.max_record_bp)
  excluded = exclusion.load(options.exclude, by=options.exclude_by,
                            cleaning=options.policy.cleaning, preset=options.preset,
                            header_pattern=options.header_pattern, absent=options.absent)
  dropped, seen, num_read = collections.Counter(), set(), 0
  needs_digest = bool(options.exclude) or options.deduplicate
  with tqdm.tqdm(desc="reading", unit=" rows", unit_scale=True, mininterval=0.5, delay=1,
                 disable=not show_progress) as bar:
    for given_split, path in files:
      for record in sequences.read(path, allow_protein=True, **read_options):
        num_read += 1
        bar.update()
        split = given_split or record.fields.get(
            "split", "train" if options.hold_out else DEFAULT_SPLIT)
        if split and is_held_out(record.fields.get("species", ""), options.hold_out):
          split = UNSEEN
        bases, reason = (None, "no_split") if not split else _clean(record, path, options)
        if not reason and needs_digest:
          key = exclusion.digest(bases)
          reason = excluded.reason(record, key)
          if not reason and options.deduplicate:
            reason = "duplicate_sequence" if key in seen else None
            seen.add(key)
        if reason:
          dropped[reason] += 1
          continue
        labels = [record.fields.get(rank, "") for rank in spool.ranks]
        try:
          spool.add(split, record.id, bases.decode("ascii"), labels)
        except errors.UserError as error:
          raise errors.UserError(f"{path}, line {record.line}: {error}") from None
  return write.Source(num_read=num_read, dropped=dict(sorted(dropped.items())),
                      inputs=[os.path.basename(path) for _, path in files])


def is_held_out(species, share):
  """Whether a species is among a share of them: a function of its name, the same in every
  file and version. Rows without a species are not held out."""
  return bool(species) and zlib.crc32(species.encode()) < share * 2**32


def _clean(record, path, options):
  try:
    return cleaning.take(record.sequence, options.policy)
  except cleaning.BadLettersError as error:
    raise errors.UserError(
        f"{path}, line {record.line}: the sequence of {record.id!r} has characters outside "
        f"the IUPAC letters: {str(error)!r}. Correct it, check which column holds the sequence "
        "(--columns), or drop and count such rows with --on_bad_letters=drop.") from None
