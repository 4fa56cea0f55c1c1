"""One part per input file, made anywhere, read in the order of the files.

A part is a folder with the records of one file in the order they were read. Complete ones
stay in --beam_dir: whoever runs the same command again makes only those that are missing.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
import shutil
import uuid

import pyarrow as pa

from data_pipelines import spool as spool_lib
from data_pipelines import write
from data_pipelines.beam import runner
from dnajax.shell import errors, files

_BATCH = 4096


@dataclasses.dataclass(frozen=True)
class Part:
  """What one file has given.

  folder: where it lies. told: dict that `fill_one` returned.
  """
  folder: pathlib.Path
  told: dict

  def records(self):
    """Yields (split, id, bases, *labels), all text, in the order they were added."""
    with pa.memory_map(str(self.folder / "records.arrow")) as file:
      reader = pa.ipc.open_file(file)
      for number in range(reader.num_record_batches):
        yield from zip(*(column.to_pylist() for column in reader.get_batch(number).columns),
                       strict=True)


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


def make(inputs, fill_one, *, ranks, folder, options, about):
  """Makes the parts that are missing, all at the same time.

  Args:
    inputs: list of what `fill_one` takes, (split or None, path).
    fill_one: (Recorded, one of inputs) -> dict of JSON values; has to be picklable.
    ranks: names of the labels of every record.
    folder: where parts are kept, seen by all workers.
    options: list of Beam options, such as "--runner=DirectRunner".
    about: what decides the content of a part besides its file, see `state`; anything whose
      repr says it.

  Returns:
    List of Part, one for each of `inputs` in their order.

  Raises:
    UserError: of the first file that is wrong, or of the folder or options.
  """
  if files.is_remote(folder):
    raise errors.UserError(f"--beam_dir={folder}: give a folder of a file system that this "
                           "machine and all workers have mounted, no address of a store.")
  runner.parse(options)
  folder = pathlib.Path(folder)
  tasks = [dict(folder=str(folder / _key(one, about)), file=one, ranks=ranks, fill=fill_one)
           for one in inputs]
  missing = {task["folder"]: task for task in tasks if not pathlib.Path(task["folder"]).exists()}
  if missing:
    import apache_beam as beam
    folder.mkdir(parents=True, exist_ok=True)
    with runner.pipeline(options) as pipeline:
      _ = (pipeline | beam.Create(missing.values()) | beam.Reshuffle()
           | "Read" >> beam.Map(_make_or_note))
  return [_open(task) for task in tasks]


def state(path):
  """A file's place, size and time, which change when its content does."""
  try:
    stat = os.stat(path)
  except OSError as error:
    raise errors.UserError(f"{path} cannot be opened: {error.strerror}.") from None
  return os.path.abspath(path), stat.st_size, stat.st_mtime_ns


def _open(task):
  folder = pathlib.Path(task["folder"])
  if folder.exists():
    return Part(folder, json.loads((folder / "told.json").read_text()))
  note = folder.with_suffix(".error")
  if note.exists():
    raise errors.UserError(note.read_text())
  raise errors.UserError(f"--beam_dir={folder.parent}: no worker has left anything of "
                         f"{task['file'][1]} there. It has to be a folder that all see.")


def _make_or_note(task):
  """On a worker: makes one part, or writes beside it what is wrong with its file."""
  target = pathlib.Path(task["folder"])
  note = target.with_suffix(".error")
  built = target.with_name(f".{target.name}-{uuid.uuid4().hex}")
  built.mkdir(parents=True)
  try:
    recorded = Recorded(built / "records.arrow", task["ranks"])
    told = task["fill"](recorded, task["file"])
    recorded.close()
    (built / "told.json").write_text(json.dumps(told))
    note.unlink(missing_ok=True)
    if not target.exists():
      os.rename(built, target)
  except errors.UserError as error:
    note.write_text(str(error))
  finally:
    shutil.rmtree(built, ignore_errors=True)


def _key(file, about):
  split, path = file
  what = repr((split, state(path), about, write.CREATED_BY))
  return "part-" + hashlib.blake2b(what.encode(), digest_size=12).hexdigest()
