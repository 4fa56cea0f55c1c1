"""A reference library: sequences with names, and what is odd about the names."""

import dataclasses
import hashlib
import itertools
import re

import numpy as np

from data_pipelines import cleaning as cleaning_lib
from data_pipelines import files, kmer_text, presets, sequences
from dnajax.shell import errors

# From high to low. A BIN is no name: clusters of sequences cut across species.
RANKS = tuple(rank for rank in presets.RANKS if rank != "bin")
_SINTAX = {letter: rank for rank in RANKS if rank != "subfamily" for letter in rank[0]}
_USUAL = cleaning_lib.Cleaning()
_SHORTEST = 50   # base pairs besides N of a reference


@dataclasses.dataclass(frozen=True, eq=False)
class References:
  """Sequences that differ, or whose names do.

  Attributes:
    ids: [N] str.
    sequences: [N] str, cleaned.
    names: {rank: [N] int32 numbers of names, -1 = none}, high to low.
    vocabularies: {rank: list of names}.
    problems: [(kind, text)], what is odd, a line each.
    num_read: rows of the files.
  """
  ids: list
  sequences: list
  names: dict
  vocabularies: dict
  problems: list
  num_read: int

  @property
  def ranks(self):
    """Of which there are names, high to low."""
    return tuple(self.names)

  def name(self, rank, number):
    """The name with a number; "" for -1."""
    return self.vocabularies[rank][number] if number >= 0 else ""

  def fingerprint(self):
    """16 hex digits that stand for all sequences, ids and names."""
    digest = hashlib.sha256(repr(self.ranks).encode())
    for n, row in enumerate(zip(self.ids, self.sequences, strict=True)):
      names = (self.name(rank, column[n]) for rank, column in self.names.items())
      digest.update("\t".join((*row, *names)).encode() + b"\n")
    return digest.hexdigest()[:16]


def read(path, columns=None, *, header_pattern=None, cleaning=_USUAL,
         max_record_bp=files.MAX_RECORD_BP):
  """References of a file.

  Args:
    path: table or FASTA, see `data_pipelines.sequences.read`. FASTA headers give names by
      `header_pattern`, or as SINTAX's: ">id;tax=p:Arthropoda,…,s:Apis mellifera;".
    columns: {field: column of a table}.
    header_pattern: regular expression with groups named as ranks.
    cleaning: of the letters.
    max_record_bp: letters of the longest sequence that is read.

  Returns:
    References; rows with the same sequence and the same names are one.

  Raises:
    UserError: wrong file, no names, or no sequence.
  """
  records = sequences.read(path, columns, header_pattern=header_pattern,
                           max_record_bp=max_record_bp)
  named = ((lineage(record), record) for record in records)
  return collect(((record.id, record.sequence, names) for names, record in named),
                 cleaning=cleaning, source=path)


def lineage(record):
  """{rank: name} of a sequences.Record; of a header as SINTAX's the id becomes its first part."""
  if record.fields or ";tax=" not in record.id:
    return record.fields
  found = dict(re.findall(r"([pcofgs]):([^,;]+)", record.id.split(";tax=", 1)[1]))
  record.id = record.id.split(";tax=", 1)[0]
  return {_SINTAX[letter]: name.replace("_", " ") for letter, name in found.items()}


def collect(rows, *, cleaning=_USUAL, source="the references"):
  """References of (id, sequence as written, {rank: name}) rows; errors as of `read`."""
  ids, bases, named, problems, seen, num_read = [], [], [], [], {}, 0
  for name, sequence, fields in rows:
    num_read += 1
    try:
      text = cleaning.clean(sequence)
    except kmer_text.NoOverlapError as error:
      raise errors.UserError(f"{source}: sequence {name!r} has blanks: {error}.") from error
    if len(text.translate(None, b"N")) < _SHORTEST:
      problems.append(("too short", f"{name}: fewer than {_SHORTEST} bp, left out"))
      continue
    lineage = tuple(fields.get(rank, "") for rank in RANKS)
    if not any(lineage):
      problems.append(("no name", f"{name}: no name at any rank, left out"))
      continue
    if (text, lineage) in seen:
      problems.append(("duplicate", f"{name}: same sequence and names as {seen[text, lineage]}"))
      continue
    seen[text, lineage] = name
    ids.append(name)
    bases.append(text.decode("ascii", "replace"))
    named.append(lineage)
  if not ids:
    raise errors.UserError(
        f"{source}: none of {num_read:,} rows has both a sequence and a name. References need "
        f"columns with names of ranks ({', '.join(RANKS)}), see --columns; FASTA needs "
        "--header_pattern, or headers as SINTAX's (>id;tax=g:Apis,s:Apis mellifera).")
  names, vocabularies = {}, {}
  for rank, column in zip(RANKS, zip(*named, strict=True), strict=True):
    if any(column):
      vocabularies[rank] = sorted(set(column) - {""})
      number = {name: i for i, name in enumerate(vocabularies[rank])}
      names[rank] = np.array([number.get(name, -1) for name in column], np.int32)
  problems += _contradictions(ids, bases, named)
  return References(ids, bases, names, vocabularies, problems, num_read)


def _contradictions(ids, bases, named):
  """Yields a problem for each sequence with two names, and for each name below two."""
  by_sequence, above = {}, {}
  for name, text, lineage in zip(ids, bases, named, strict=True):
    by_sequence.setdefault(text, []).append((name, lineage))
    known = [(rank, one) for rank, one in zip(RANKS, lineage, strict=True) if one]
    for (high, parent), (low, child) in itertools.pairwise(known):
      above.setdefault((low, child, high), set()).add(parent)
  for rows in by_sequence.values():
    for rank, column in zip(RANKS, zip(*(lineage for _, lineage in rows), strict=True),
                            strict=True):
      if len(found := sorted(set(column) - {""})) > 1:
        yield ("one sequence, several names",
               f"{', '.join(name for name, _ in rows)}: {rank} {' / '.join(found)}")
        break
  for (low, child, high), parents in sorted(above.items()):
    if len(parents) > 1:
      yield "one name below several", f"{low} {child}: {high} {' / '.join(sorted(parents))}"


def in_words(references):
  """What a library holds and what is odd about it, lines for a console."""
  yield (f"{len(references.ids):,} references of {references.num_read:,} rows: " + ", ".join(
      f"{len(np.unique(column[column >= 0])):,} {rank}"
      for rank, column in references.names.items()))
  kinds = {}
  for kind, text in references.problems:
    kinds.setdefault(kind, []).append(text)
  for kind, texts in kinds.items():
    yield f"{len(texts):,} × {kind}; first: {texts[0][:160]}"
