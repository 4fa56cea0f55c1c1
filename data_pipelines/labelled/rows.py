"""Tables of sequence and label -> cleaned rows; every dropped one has one reason."""

import dataclasses
import os

from data_pipelines import cleaning, formats, kmer_text, sequences
from dnajax.shell import errors

COLUMNS = {"sequence": "sequence", "label": "label"}


@dataclasses.dataclass(slots=True)
class Row:
  """id: "<file>:<line>". bases: upper-case bytes. label: name of the class."""
  id: str
  bases: bytes
  label: str


def read(file, dropped, on_row=lambda: None, *, options):
  """The rows of a table.

  The reasons to drop one are tried in this order and the first one counts: no label,
  k-mers that do not overlap, the sequence itself (cleaning.take).

  Args:
    file: (split, table), plain or compressed.
    dropped: Counter of the reasons.
    on_row: called for each row read.
    options: ingest.Options; the on_bad_letters of its policy also decides about k-mers.

  Yields:
    Row.

  Raises:
    UserError: wrong or damaged file; with file, line and remedy.
  """
  _, path = file
  for number, (sequence, label) in formats.read_rows(
      path, lambda names: _choose(names, path, options.columns), options.max_record_bp):
    on_row()
    label = sequences.one_line(label)
    bases, reason = ((None, "no_label") if not label
                     else _bases(sequence, path, number, options.policy))
    if reason:
      dropped[reason] += 1
    else:
      yield Row(f"{os.path.basename(path)}:{number}", bases, label)


def _choose(names, path, columns):
  for field in COLUMNS:
    column = columns[field]
    if names.count(column) != 1:
      what = "no column" if column not in names else "more than one column"
      raise errors.UserError(
          f"{path}, line 1: {what} {column!r} for the {field}. It has the columns: "
          f"{' '.join(', '.join(names).split())[:200]}. Name the right one with "
          f"--columns={field}:COLUMN.")
  return [columns[field] for field in COLUMNS]


def _bases(sequence, path, line, policy):
  drop = "Repair the row, or drop and count such rows with --on_bad_letters=drop."
  try:
    return cleaning.take(sequence, policy)
  except kmer_text.NoOverlapError as error:
    if policy.on_bad_letters == "drop":
      return None, "kmers_do_not_overlap"
    raise errors.UserError(
        f"{path}, line {line}: the sequence has blanks and is not written as overlapping "
        f"k-mers: {error}. {drop}") from None
  except cleaning.BadLettersError as error:
    raise errors.UserError(
        f"{path}, line {line}: the sequence has characters outside the IUPAC letters: "
        f"{str(error)!r}. Check which column holds the sequence (--columns). {drop}") from None
