"""Records -> a prepared data set on disk: ArrayRecord, label names, summary."""

import contextlib
import dataclasses
import hashlib
import io
import os
import pathlib
import re
import shutil

import tqdm
from absl import logging

import dnajax
from data_pipelines import formats, pmi_table, staging
from data_pipelines import spool as spool_lib
from dnajax.data import summary as summary_lib
from dnajax.shell import errors, files

CREATED_BY = f"dnajax {dnajax.__version__}"


@dataclasses.dataclass
class Source:
  """What `fill` reports of its input.

  num_read: rows read, or other units. dropped: {reason: how many}. inputs: base names
  of the files.
  """
  num_read: int = 0
  unit: str = "records"
  dropped: dict = dataclasses.field(default_factory=dict)
  inputs: list = dataclasses.field(default_factory=list)


def write(*, builder_class, data_dir, config_name=None, fill, options, cleaning,
          overwrite=False, attachments=(), pmi_of="", show_progress=True):
  """Prepares one data set; it appears at `target` at once, or not at all.

  Args:
    builder_class: a builder.RecordsBuilder.
    data_dir: where the data sets are; may be gs://… or s3://….
    config_name: name of the BuilderConfig, or None for a builder without.
    fill: (spool) -> Source; adds every record to the spool.
    options: what decides the content, kept in the summary.
    cleaning: the cleaning.Cleaning of every record, kept there too.
    overwrite: replace an existing data set of this name.
    attachments: files that `fill` has made, copied beside the records.
    pmi_of: split whose k-mers are ranked in tables beside the records; "" for none.
    show_progress: one bar while writing.

  Returns:
    (directory of the data set, its summary as a dict).

  Raises:
    UserError: it exists already, or what `fill` raises.
  """
  name = builder_class.name + (f"/{config_name}" if config_name else "")
  target = files.path(data_dir) / name / str(builder_class.VERSION)
  staging.refuse_existing(target, overwrite)
  with staging.folder(data_dir) as temporary, staging.explain_full(data_dir):
    spool = spool_lib.Spool(temporary / "spool", builder_class.RANKS)
    source = fill(spool)
    spool.finish()
    if not spool.splits:
      why = ", ".join(f"{n:,} {reason}" for reason, n in source.dropped.items())
      raise errors.UserError(f"No record is kept of {source.num_read:,} ({why}). "
                             "Loosen the filters.")
    built, fingerprint, checksums = _build(builder_class, config_name, spool, temporary,
                                           show_progress)
    summary = dict(
        name=name, fingerprint=fingerprint, ranks=list(spool.ranks),
        cleaning=dataclasses.asdict(cleaning),
        splits={split: dict(dataclasses.asdict(s), checksums=checksums[split].values())
                for split, s in spool.splits.items()},
        num_read=source.num_read, unit_read=source.unit, dropped=source.dropped,
        num_labels={rank: len(names) for rank, names in spool.vocabularies.items()},
        label_checksums=_write_labels(built / "labels", spool.vocabularies),
        inputs=source.inputs, options=options, created_by=CREATED_BY)
    summary_lib.write(built, summary)
    for path in attachments:
      shutil.copy(path, built)
    if pmi_of:
      pmi_table.write_own(built, (example["bases"] for example in spool.examples(
          pmi_of, 0, spool.num_batches(pmi_of))))
    staging.publish(built, target, overwrite=overwrite, staging=temporary)
  return target, summary


def config_name(name, path, *, otherwise):
  """The name of a data set: `name`, or that of a file without its endings.

  Args:
    name: the flag, or None.
    path: "dir/coi_small.tsv.gz" gives "coi_small".
    otherwise: for a file that has nothing but endings.

  Raises:
    UserError: `name` cannot be the name of a folder everywhere.
  """
  if name:
    if not re.fullmatch(r"[\w.+-]+", name, re.ASCII) or name.startswith("."):
      raise errors.UserError(f"--name={name}: letters, digits and _.+- only.")
    return name
  name = formats.stem(os.path.basename(path))
  return re.sub(r"[^\w.+-]", "_", name, flags=re.ASCII).lstrip(".") or otherwise


def _build(builder_class, config_name, spool, temporary, show_progress):
  """Runs the TFDS builder in `temporary`.

  Returns:
    (its folder, fingerprint of all records, {split: summary.ColumnChecksums}).
  """
  import tensorflow_datasets as tfds

  total = sum(split.num_records for split in spool.splits.values())
  fingerprint = hashlib.blake2b(digest_size=16)
  checksums = {split: summary_lib.ColumnChecksums(spool.ranks) for split in spool.splits}
  with tqdm.tqdm(total=total, desc="writing", unit=" records", unit_scale=True,
                 mininterval=0.5, delay=1, disable=not show_progress) as bar:
    def on_example(split, example):
      texts = (split, example["id"], example["bases"], *(example[r] for r in spool.ranks))
      # Lengths first, so that no two different records give the same bytes.
      fingerprint.update(repr([len(text) for text in texts]).encode())
      fingerprint.update("".join(texts).encode())
      checksums[split].add(example)
      bar.update()

    config = tfds.core.BuilderConfig(name=config_name) if config_name else None
    with _quiet():
      builder = builder_class(spool=spool, on_example=on_example, config=config,
                              data_dir=str(temporary / "tfds"))
      builder.download_and_prepare()
  return pathlib.Path(builder.data_dir), fingerprint.hexdigest(), checksums


@contextlib.contextmanager
def _quiet():
  """TFDS announces downloads and reports every file it touches."""
  verbosity = logging.get_verbosity()
  logging.set_verbosity(logging.ERROR)
  try:
    with contextlib.redirect_stdout(io.StringIO()):
      yield
  finally:
    logging.set_verbosity(verbosity)


def _write_labels(directory, vocabularies):
  """One file per rank; returns {rank: its checksum}."""
  directory.mkdir()
  checksums = {}
  for rank, names in vocabularies.items():
    text = "".join(name + "\n" for name in names).encode()
    (directory / f"{rank}.txt").write_bytes(text)
    checksums[rank] = summary_lib.crc(text)
  return checksums
