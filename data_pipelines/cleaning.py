"""One written sequence -> upper-case bases, or the reason why it is left out."""

import dataclasses

from dnajax import errors

IUPAC = b"ACGTRYSWKMBDHVN"
ALPHABETS = ("iupac", "acgtn")
ON_BAD_LETTERS = ("error", "drop")

# Upper case, and U (RNA) read as T. Gaps are deleted in the same pass.
_UPPER = bytearray(range(256))
_UPPER[ord("a"):ord("z") + 1] = bytes(range(ord("A"), ord("Z") + 1))
_UPPER[ord("U")] = _UPPER[ord("u")] = ord("T")
_UPPER = bytes(_UPPER)


class BadLettersError(Exception):
  """Letters outside IUPAC, under the policy that they are an error."""


@dataclasses.dataclass(frozen=True)
class Policy:
  """What is kept. Lengths are in base pairs after gaps and outer N are removed.

  min_length, max_length: both included; max_length 0 = no limit.
  max_unknown: most letters other than A, C, G, T: a share of the sequence if
    below 1, otherwise a number; negative = no limit.
  alphabet: "iupac" keeps ambiguity letters as they are (the device reads them
    as unknown); "acgtn" drops sequences that have any besides N.
  on_bad_letters: "error" or "drop", for letters outside IUPAC.
  strip_n: remove leading and trailing N.
  """
  min_length: int = 1
  max_length: int = 0
  max_unknown: float = -1
  alphabet: str = "iupac"
  on_bad_letters: str = "error"
  strip_n: bool = True

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


def normalise(sequence, strip_n=True):
  """Upper-case letters without gaps, U as T. str -> bytes; "?" if not ASCII."""
  bases = sequence.encode("ascii", "replace").translate(_UPPER, b"-")
  return bases.strip(b"N") if strip_n else bases


def clean(sequence, policy):
  """Bases of one sequence, or why it is dropped.

  Args:
    sequence: str as in the file.
    policy: Policy.

  Returns:
    (bases, None) with upper-case bytes, or (None, reason).

  Raises:
    BadLettersError: letters outside IUPAC and policy.on_bad_letters == "error".
  """
  bases = normalise(sequence, policy.strip_n)
  if not bases:
    return None, "no_sequence"
  unknown = bases.translate(None, b"ACGT")
  if unknown:
    bad = unknown.translate(None, IUPAC)
    if bad:
      if policy.on_bad_letters == "error":
        allowed = set((IUPAC + b"U-").decode())
        raise BadLettersError("".join(sorted(set(sequence.upper()) - allowed)))
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
