"""Files of sequences, patterns of their names or the standard input, as one stream."""

import contextlib
import dataclasses
import glob
import hashlib
import os
import pathlib
import shutil
import sys
import tempfile

from data_pipelines import files, presets, sequences
from dnajax.shell import errors

STDIN = "-"


@dataclasses.dataclass(frozen=True)
class Source:
  """Sequences of some files, in their order.

  Attributes:
    paths: of the files.
    layout: {field: column name} of tables, see `data_pipelines.sequences.read`.
    columns: ranks that any of the files has names for, as "genus".
    max_record_bp: letters of the longest sequence that is read.
  """
  paths: tuple
  layout: dict
  columns: tuple
  max_record_bp: int = files.MAX_RECORD_BP

  def records(self):
    """Yields (id, sequence, {column: name}); every call reads anew."""
    for path in self.paths:
      for record in sequences.read(path, self.layout, max_record_bp=self.max_record_bp):
        yield (record.id, record.sequence,
               {column: record.fields.get(column, "") for column in self.columns})

  def survey(self):
    """Reads everything once.

    Returns:
      (number of sequences, SHA-256 of the files' bytes one after the other).

    Raises:
      UserError: something in a file is wrong, wherever it stands.
    """
    number = sum(1 for _ in self.records())
    digest = hashlib.sha256()
    for path in self.paths:
      with open(path, "rb") as file:
        digest.update(hashlib.file_digest(file, "sha256").digest())
    return number, digest.hexdigest()


@contextlib.contextmanager
def opened(names, columns=(), *, has_taxonomy=True, max_record_bp=files.MAX_RECORD_BP):
  """The Source that the command line names; the first record of every file is read.

  Args:
    names: files, patterns as "reads/*.fa.gz" (sorted by name), or "-" alone.
    columns: "field:column" texts for tables; without a field, the sequence's.
    has_taxonomy: whether tables bring names of ranks along.
    max_record_bp: letters of the longest sequence that is read.

  Raises:
    UserError: no such file, or a wrong one.
  """
  pairs = [text if ":" in text else f"sequence:{text}" for text in columns]
  layout = dict(text.split(":", 1) for text in pairs)
  with contextlib.ExitStack() as stack:
    if STDIN in names and len(names) > 1:
      raise errors.UserError("--input=- is the standard input and stands alone.")
    paths = [stack.enter_context(_stdin())] if STDIN in names else _found(names)
    # Wrong files are found before anything slow begins.
    firsts = [next(iter(sequences.read(path, layout, max_record_bp=max_record_bp)), None)
              for path in paths]
    there = {field for first in firsts if first is not None for field in first.fields}
    yield Source(tuple(paths), layout, tuple(
        rank for rank in presets.RANKS if has_taxonomy and rank in there), max_record_bp)


def _found(names):
  """Paths, each once, in the order of the names."""
  paths = []
  for name in names:
    is_pattern = glob.has_magic(name) and not os.path.exists(name)
    found = sorted(glob.glob(name, recursive=True)) if is_pattern else [name]
    if not found:
      raise errors.UserError(f"--input={name}: no file has such a name in {os.getcwd()}.")
    paths += found
  return list(dict.fromkeys(paths))


@contextlib.contextmanager
def _stdin():
  """A file of what comes in: what it is shows in its content, which is read twice."""
  if sys.stdin.isatty():
    raise errors.UserError("--input=- reads what another command writes: zcat a.fa.gz | "
                           "python -m dnajax.embed --input=- …")
  with tempfile.TemporaryDirectory() as folder:    # nobody else's to read
    path = pathlib.Path(folder) / "stdin"
    with open(path, "wb") as file:
      shutil.copyfileobj(sys.stdin.buffer, file, 1 << 20)
    yield str(path)
