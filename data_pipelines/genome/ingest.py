"""FASTA files -> windows in a spool; every letter is kept or counted under a reason."""

import collections
import dataclasses
import functools
import hashlib
import itertools
import operator
import os

import numpy as np
import tqdm

from data_pipelines import cleaning, fasta, formats, windows, write
from dnajax.shell import errors

SPLIT_BY = ("position", "contig")
TRAIN, VALID = "pretrain", "valid"
# Windows hold no N, so none at their ends. A gap is an error here, not deleted: the ids of
# windows say positions of the contig.
CLEANING = cleaning.Cleaning()


@dataclasses.dataclass(frozen=True)
class Options:
  """How windows are cut and shared out; see the flags of prepare.py.

  cuts: windows.Cuts.
  split_by: "position": blocks of `block_length` base pairs of every contig go to
    `valid` with chance `valid_share`; "contig": whole contigs do.
  valid_contigs: names; if given they are `valid`, nothing else is.
  seed: decides the blocks, the offsets and the sizes of the windows; none of them
    depends on the order of the files.
  """
  cuts: windows.Cuts = windows.Cuts()
  split_by: str = "position"
  valid_share: float = 0.1
  valid_contigs: tuple = ()
  block_length: int = 100_000
  seed: int = 0

  def __post_init__(self):
    if self.split_by not in SPLIT_BY:
      raise errors.UserError(f"--split_by is one of {', '.join(SPLIT_BY)}.")
    if not 0 <= self.valid_share < 1:
      raise errors.UserError(f"--valid_share={self.valid_share} has to be in 0..1, 1 excluded.")
    if self.valid_contigs and self.split_by != "contig":
      raise errors.UserError("--valid_contigs needs --split_by=contig.")
    if self.block_length < self.cuts.length:
      raise errors.UserError(f"--block_length={self.block_length} has to be at least "
                             f"--window_length={self.cuts.length}.")


def prepare(inputs, data_dir, *, name=None, overwrite=False, show_progress=True,
            beam_dir=None, beam_options=(), **options):
  """Prepares the data set `genome/<name>`.

  Args:
    inputs: FASTA files, plain or compressed.
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
  from data_pipelines.genome import builder

  options = Options(**options)
  name = write.config_name(name, inputs[0], otherwise="genome")
  return write.write(
      builder_class=builder.Genome, data_dir=data_dir, config_name=name,
      fill=(functools.partial(_fill_on_beam, paths=inputs, options=options, folder=beam_dir,
                              beam_options=beam_options) if beam_dir else
            lambda spool: fill(spool, inputs, options, show_progress=show_progress)),
      options=dataclasses.asdict(options), cleaning=CLEANING, overwrite=overwrite,
      show_progress=show_progress)


def fill(spool, paths, options, *, show_progress):
  """Adds the windows of all contigs to the spool, in order.

  Args:
    spool: spool.Spool with the rank "contig".
    paths: FASTA files.
    options: Options.
    show_progress: a bar in base pairs.

  Returns:
    write.Source; `num_read` counts contigs.

  Raises:
    UserError: a file is not FASTA or holds other letters, two contigs have one
      name, a contig of valid_contigs is not there, or no window came into one of
      the splits.
  """
  dropped, contigs = collections.Counter(), {}
  for path in paths:                        # all of them, before hours of work
    formats.require_fasta(path)
  with tqdm.tqdm(desc="reading", unit=" bp", unit_scale=True, mininterval=0.5, delay=1,
                 disable=not show_progress) as bar:
    for path in paths:
      _read(spool, path, options, contigs, dropped, on_letters=bar.update)
  return _finish(spool, paths, options, contigs, dropped)


def _fill_on_beam(spool, paths, options, folder, beam_options):
  from data_pipelines.beam import parts
  for path in paths:
    formats.require_fasta(path)
  dropped, contigs = collections.Counter(), {}
  for part in parts.make(
      [(None, path) for path in paths], functools.partial(_read_one, options=options),
      ranks=spool.ranks, folder=folder, options=beam_options, about=options):
    for contig, where in part.told["contigs"].items():
      _claim(contigs, contig, where)
    dropped.update(part.told["dropped"])
    for split, record_id, bases, *labels in part.records():
      spool.add(split, record_id, bases, labels)
  return _finish(spool, paths, options, contigs, dropped)


def _read_one(recorded, file, options):
  dropped, contigs = collections.Counter(), {}
  _read(recorded, file[1], options, contigs, dropped)
  return {"contigs": contigs, "dropped": dropped}


def _read(spool, path, options, contigs, dropped, on_letters=lambda number: None):
  """Adds the windows of one file; `contigs`, {name: where}, and `dropped` grow."""
  for (line, header), pieces in itertools.groupby(
      fasta.read_pieces(path), operator.itemgetter(0, 1)):
    contig = (header.split(maxsplit=1) or [f"{os.path.basename(path)}:{line}"])[0]
    _claim(contigs, contig, f"{path}, line {line}")
    letters = _clean(path, line, pieces, on_letters)
    for split, first, last, window in contig_windows(contig, letters, options, dropped):
      spool.add(split, f"{contig}:{first + 1}-{last + 1}", window.decode("ascii"), [contig])


def _claim(contigs, contig, where):
  if contig in contigs:
    raise errors.UserError(
        f"{where}: a contig {contig!r} was there before ({contigs[contig]}). Windows are named "
        "after contigs: rename one, or leave one file out.")
  contigs[contig] = where


def _finish(spool, paths, options, contigs, dropped):
  """What is known once all files are read, as write.Source."""
  missing = sorted(set(options.valid_contigs) - contigs.keys())
  if missing:
    raise errors.UserError(f"--valid_contigs: no contig {', '.join(missing)} in "
                           f"{', '.join(paths)}. A contig's name is the first word of its header.")
  _check_splits(spool, options)
  return write.Source(num_read=len(contigs), unit="contigs", dropped=dict(sorted(dropped.items())),
                      inputs=[os.path.basename(path) for path in paths])


def contig_windows(contig, pieces, options, dropped):
  """Windows of one contig.

  Args:
    contig: its name.
    pieces: its letters, upper case, in parts.
    options: Options.
    dropped: Counter of what is left out.

  Yields:
    (split, position of the first base from 0, of the last base, letters).
  """
  cuts = options.cuts
  rng = np.random.default_rng(_hash(options.seed, "windows", contig))
  runs = windows.known_runs(pieces, dropped)
  if cuts.mode == "mixed":
    runs = windows.skip(runs, int(rng.integers(cuts.start_offset + 1)), dropped)
  stretches = windows.assign(
      runs, lambda block: split_of(contig, block, options),
      options.block_length if options.split_by == "position" else 0)
  return windows.cut(stretches, cuts, rng, dropped)


def split_of(contig, block, options):
  """The split of a block of a contig: a function of its name, number and the seed."""
  if options.valid_contigs:
    return VALID if contig in options.valid_contigs else TRAIN
  share = _hash(options.seed, "split", contig, block) / 2 ** 64
  return VALID if share < options.valid_share else TRAIN


def _hash(*what):
  digest = hashlib.blake2b(repr(what).encode(), digest_size=8).digest()
  return int.from_bytes(digest, "little")


def _clean(path, line, pieces, on_letters):
  """Upper-case letters of a contig; a letter that is no base is an error."""
  for _, _, letters in pieces:
    letters = cleaning.upper(letters)
    bad = letters.translate(None, cleaning.IUPAC)
    if bad:
      raise fasta.explain_letters(path, line, bad + bad.lower())
    on_letters(len(letters))
    yield letters


def _check_splits(spool, options):
  empty = [split for split in (TRAIN, VALID) if split not in spool.splits]
  if not spool.splits or not options.valid_share and not options.valid_contigs:
    return
  if empty:
    raise errors.UserError(
        f"No window came into split {empty[0]!r}: with --split_by={options.split_by} the "
        "input has too few parts to draw from. " + (
            f"Lower --block_length={options.block_length}" if options.split_by == "position"
            else "Name contigs with --valid_contigs, use --split_by=position")
        + ", or give --valid_share=0.")
