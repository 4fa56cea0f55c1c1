"""From the letters of a file to bases: the one place where they are changed.

Whoever reads sequences (prepare, npmi, embed) reads them through here, so that a sequence
is the same bases whatever gaps, case, U or outer N it arrives with. A data set's `Cleaning`
is stored with it and with every model trained on it; `Policy` says which sequences are kept.
"""

import dataclasses

from data_pipelines import kmer_text
from dnajax.shell import errors

# The bases, and the ambiguity codes of the Nomenclature Committee of IUB (1984). What is
# not A, C, G or T is an unknown base to a model, N like R, Y, ...: see dnajax.tokens.bases.
IUPAC = b"ACGTRYSWKMBDHVN"
ALPHABETS = ("iupac", "acgtn")
ON_BAD_LETTERS = ("error", "drop")
_GAP = b"-"
_AMINO_ACIDS = b"EFILPQefilpq"

_UPPER = bytearray(bytes(range(256)).upper())
_UPPER[ord("U")] = _UPPER[ord("u")] = ord("T")   # RNA
_UPPER = bytes(_UPPER)


class BadLettersError(Exception):
  """Letters outside IUPAC, under the policy that they are an error."""


@dataclasses.dataclass(frozen=True)
class Cleaning:
  """What is done to the letters of every sequence.

  Always: upper case, U read as T, gaps ("-") deleted.

  trim: N at both ends is removed.
  join_kmers: blanks separate overlapping k-mers ("AAACTG AACTGA"), which become one
    sequence again.
  """
  trim: bool = True
  join_kmers: bool = False

  def clean(self, sequence):
    """Bases of a sequence.

    Args:
      sequence: str or bytes as in the file.

    Returns:
      bytes; what is no letter stays ("?" if it is not ASCII).

    Raises:
      kmer_text.NoOverlapError: join_kmers, and words that do not overlap.
    """
    if self.join_kmers:
      sequence = kmer_text.decode(sequence)
    if isinstance(sequence, str):
      sequence = sequence.encode("ascii", "replace")
    bases = sequence.translate(_UPPER, _GAP)
    return bases.strip(b"N") if self.trim else bases


def upper(letters):
  """Part of a sequence, bytes: upper case, U as T; nothing is deleted."""
  return letters.translate(_UPPER)


@dataclasses.dataclass(frozen=True)
class Policy:
  """What is kept. Lengths are in base pairs after cleaning.

  cleaning: Cleaning, done before anything is looked at.
  min_length, max_length: both included; max_length 0 = no limit.
  max_unknown: most letters other than A, C, G, T: a share of the sequence if
    below 1, otherwise a number; negative = no limit.
  alphabet: "iupac" keeps ambiguity letters as they are; "acgtn" drops sequences that
    have any besides N.
  on_bad_letters: "error" or "drop", for letters outside IUPAC.
  """
  cleaning: Cleaning = Cleaning()
  min_length: int = 1
  max_length: int = 0
  max_unknown: float = -1
  alphabet: str = "iupac"
  on_bad_letters: str = "error"

  def __post_init__(self):
    if self.alphabet not in ALPHABETS or self.on_bad_letters not in ON_BAD_LETTERS:
      raise errors.UserError(f"--alphabet is one of {', '.join(ALPHABETS)}; "
                             f"--on_bad_letters one of {', '.join(ON_BAD_LETTERS)}.")
    if self.max_length and self.max_length < self.min_length:
      raise errors.UserError(f"--max_length={self.max_length} is below "
                             f"--min_length={self.min_length}: nothing would be kept.")


def parse_max_unknown(text):
  """"", "0.02" (share), "2%" (share) or "12" (number) -> Policy.max_unknown."""
  try:
    value = float(text[:-1]) / 100 if text.endswith("%") else float(text or -1)
  except ValueError:
    value = float("nan")
  is_number = text.isdigit()
  if not (is_number or 0 <= value < 1 or not text):
    raise errors.UserError(f"--max_unknown={text!r}: give a share such as 0.02 or 2%, "
                           "or a whole number of letters.")
  return value


def take(sequence, policy):
  """Bases of one sequence, or why it is dropped.

  Args:
    sequence: str as in the file.
    policy: Policy.

  Returns:
    (bases, None) with upper-case bytes, or (None, reason).

  Raises:
    BadLettersError: letters outside IUPAC and policy.on_bad_letters == "error".
    kmer_text.NoOverlapError: as `Cleaning.clean`.
  """
  bases = policy.cleaning.clean(sequence)
  if not bases:
    return None, "no_sequence"
  unknown = bases.translate(None, b"ACGT")
  if unknown:
    bad = unknown.translate(None, IUPAC)
    if bad:
      if policy.on_bad_letters == "error":
        allowed = set((IUPAC + b"U" + _GAP).decode())
        found = "".join(sequence.split()) if policy.cleaning.join_kmers else sequence
        raise BadLettersError("".join(sorted(set(found.upper()) - allowed))[:20])
      return None, "letters_outside_iupac"
    if policy.alphabet == "acgtn" and unknown.strip(b"N"):
      return None, "ambiguity_letters"
  if len(bases) < policy.min_length:
    return None, "too_short"
  if policy.max_length and len(bases) > policy.max_length:
    return None, "too_long"
  if 0 <= policy.max_unknown < len(unknown):
    limit = policy.max_unknown * len(bases) if policy.max_unknown < 1 else policy.max_unknown
    if len(unknown) > limit:
      return None, "too_many_unknown"
  return bases, None


def is_protein(sequence):
  """Whether a tenth of the letters are amino acids that are no letters of DNA: E F I L P Q
  are a third of a protein. Words are found out by them, too."""
  if isinstance(sequence, str):
    sequence = sequence.encode("ascii", "replace")
  return len(sequence) - len(sequence.translate(None, _AMINO_ACIDS)) > len(sequence) / 10


def num_ambiguous(bases):
  """How many letters of cleaned text are ambiguity codes other than N."""
  return len(bases) - sum(map(bases.count, "ACGTN"))
