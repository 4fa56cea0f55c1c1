"""Identity of two sequences where they overlap, by edlib's exact edit distance."""

import operator

import edlib

_END = 24          # letters at each end that say whether two sequences begin or end alike
_END_MOST = 8      # of them may differ; of two random ones 18 do
_LONGEST_PAD = 100
_FEW = 126         # differences that are tried first; edlib works on 64 rows at a time
_ANY = [("N", letter) for letter in "ACGT"]  # an unknown base is no difference


def identity(query, reference, *, at_least=0.0):
  """Share of equal letters where two sequences overlap.

  One less the edit distance per known base of the overlap. Where one sequence reaches beyond
  the other that is no difference: up to the whole rest of the longer one, up to a fifth, at
  most 100 bp, of the shorter one. (VSEARCH's --iddef 2 divides matches by columns: the
  same without gaps.)

  Args:
    query, reference: str, upper case, whole sequences on one strand; N is equal to anything.
    at_least: below this it may stop and return it: a lower bound saves time.

  Returns:
    (identity, base pairs of the shorter one that overlap).
  """
  if len(query) > len(reference):
    query, reference = reference, query
  length = len(query)
  if not length:
    return at_least, 0
  begin = _is_alike(query[:_END], reference[:_END])
  end = _is_alike(query[-_END:], reference[-_END:])
  if begin and end:
    whole = len(reference)
    found = _align(query, reference, "NW", "distance", int((1 - at_least) * whole))
    return _share(found["editDistance"], whole, query, at_least), length
  most = int((1 - at_least) * length)
  if begin or end:  # "SHW": what the longer one has behind the shorter one is free
    pair = (query, reference) if begin else (query[::-1], reference[::-1])
    found = _align(*pair, "SHW", "distance", most)
    return _share(found["editDistance"], length, query, at_least), length
  # "HW": what lies before and behind in the longer one is free; N in front and behind of
  # it makes the ends of the shorter one free.
  pad = min(_LONGEST_PAD, length // 5)
  wild = "N" * pad
  found = _align(query, wild + reference + wild, "HW", "locations", most)
  if found["editDistance"] < 0:
    return at_least, length
  start, last = found["locations"][0]
  outside = max(pad - (start or 0), 0) + max(last + 1 - pad - len(reference), 0)
  overlap = max(length - outside, 1)
  return _share(found["editDistance"], overlap, query, at_least), overlap


def _align(query, reference, mode, task, most):
  """edlib.align with at most so many differences; few are tried first, which takes less time."""
  equal = _ANY if "N" in reference or "N" in query else None
  found = edlib.align(query, reference, mode, task, min(_FEW, most), equal)
  if found["editDistance"] < 0 and most > _FEW:
    found = edlib.align(query, reference, mode, task, most, equal)
  return found


def _share(distance, overlap, query, at_least):
  if distance < 0:
    return at_least
  # What is unknown was not compared.
  return max(1 - distance / max(overlap - query.count("N"), 1), at_least)


def _is_alike(a, b):
  return a == b or (len(a) == len(b) == _END and sum(map(operator.ne, a, b)) <= _END_MOST)
