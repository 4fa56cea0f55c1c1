"""One part per input file, made anywhere, joined in the order of the files.

A part is a folder with the records of one file in the order they were read. Complete ones
stay in --beam_dir: whoever runs the same command again makes only those that are missing.
"""

import collections
import dataclasses
import hashlib
import json
import os
import pathlib
import shutil
import uuid

import pyarrow as pa

from data_pipelines import exclusion, write
from data_pipelines import spool as spool_lib
from dnajax.shell import errors

_BATCH = 4096


class Recorded:
  """Takes the place of a spool.Spool and keeps the records in one file, as they come."""

  def __init__(self, path, ranks):
    """path: of a new file. ranks: names of the labels of every record."""
    self.ranks, self.splits = tuple(ranks), {}
    self._schema = pa.schema([(name, pa.string())
                              for name in ("split", "id", "bases", *self.ranks)])
    self._writer, self._rows = pa.ipc.new_file(str(path), self._schema), []

  def add(self, split, record_id, bases, labels):
    """As Spool.add."""
    if split not in self.splits:
      spool_lib.check_split(split, self.splits)
    self.splits[split] = True
    self._rows.append((split, record_id, bases, *labels))
    if len(self._rows) == _BATCH:
      self._flush()

  def close(self):
    """Ends the file."""
    if self._rows:
      self._flush()
    self._writer.close()

  def _flush(self):
    columns = [pa.array(column, pa.string()) for column in zip(*self._rows, strict=True)]
    self._writer.write_batch(pa.record_batch(columns, schema=self._schema))
    self._rows = []


def make(task):
  """Makes one part, on a worker. task: dict, see `tasks`. Returns "" or what is wrong."""
  target = pathlib.Path(task["folder"])
  built = target.with_name(f".{target.name}-{uuid.uuid4().hex}")
  built.mkdir(parents=True)
  try:
    recorded = Recorded(built / "records.arrow", task["ranks"])
    source = task["fill"](recorded, task["file"])
    recorded.close()
    (built / "source.json").write_text(json.dumps(dataclasses.asdict(source)))
    if not target.exists():
      os.rename(built, target)
    return ""
  except errors.UserError as error:
    return str(error)
  finally:
    shutil.rmtree(built, ignore_errors=True)


def fill(spool, files, fill_one, *, folder, options, about, is_deduplicated=False):
  """As the `fill` of an ingest, with one part per file.

  Args:
    spool: spool.Spool.
    files: list of what `fill_one` takes, (split or None, path).
    fill_one: (spool, one of files) -> write.Source; has to be picklable.
    folder: where parts are kept, seen by all workers.
    options: list of Beam options, such as "--runner=DirectRunner".
    about: text that decides what a part holds, besides name, size and time of its file.
    is_deduplicated: of equal sequences only the first is kept, over all parts.

  Returns:
    write.Source.

  Raises:
    UserError: of the first file that is wrong.
  """
  import apache_beam as beam
  from apache_beam.options import pipeline_options

  tasks = [dict(folder=str(pathlib.Path(folder) / _key(file, about)), file=file,
                ranks=spool.ranks, fill=fill_one) for file in files]
  missing = [task for task in tasks if not pathlib.Path(task["folder"]).exists()]
  if missing:
    pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
    with beam.Pipeline(options=pipeline_options.PipelineOptions(options)) as pipeline:
      _ = pipeline | beam.Create(missing) | beam.Reshuffle() | "Read" >> beam.Map(_make_or_note)
  total = write.Source(inputs=[os.path.basename(path) for _, path in files])
  dropped, seen = collections.Counter(), set()
  for task in tasks:
    part = pathlib.Path(task["folder"])
    if not part.exists():
      raise errors.UserError(part.with_suffix(".error").read_text())
    source = json.loads((part / "source.json").read_text())
    total.num_read, total.unit = total.num_read + source["num_read"], source["unit"]
    dropped.update(source["dropped"])
    for split, record_id, bases, *labels in _records(part / "records.arrow"):
      key = exclusion.digest(bases.encode()) if is_deduplicated else None
      if key is not None and key in seen:
        dropped["duplicate_sequence"] += 1
        continue
      seen.add(key)
      spool.add(split, record_id, bases, labels)
  total.dropped = dict(sorted(dropped.items()))
  return total


def _make_or_note(task):
  wrong = make(task)
  note = pathlib.Path(task["folder"]).with_suffix(".error")
  if wrong:
    note.write_text(wrong)
  else:
    note.unlink(missing_ok=True)


def _key(file, about):
  split, path = file
  try:
    stat = os.stat(path)
  except OSError as error:
    raise errors.UserError(f"{path} cannot be opened: {error.strerror}.") from None
  what = repr((split, os.path.basename(path), stat.st_size, stat.st_mtime_ns, about))
  return "part-" + hashlib.blake2b(what.encode(), digest_size=12).hexdigest()


def _records(path):
  with pa.memory_map(str(path)) as file:
    reader = pa.ipc.open_file(file)
    for number in range(reader.num_record_batches):
      yield from zip(*(column.to_pylist() for column in reader.get_batch(number).columns),
                     strict=True)
