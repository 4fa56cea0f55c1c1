"""DNA that a file holds as overlapping k-mers, "AAACTG AACTGA": back to letters.

The few-shot files of GeneMask are written so (papers.md 5.6).
"""


class NoOverlapError(ValueError):
  """Words that are not the overlapping k-mers of one sequence."""


def decode(text):
  """The letters behind a cell.

  Args:
    text: one word (returned as it is), or k-mers of one length, separated by blanks,
      each of which begins with the last k - 1 letters of the one before.

  Returns:
    The first k-mer and the last letter of every following one.

  Raises:
    NoOverlapError: says which word does not fit.
  """
  words = text.split()
  if len(words) < 2:
    return words[0] if words else ""
  # Neighbours are compared without regard to case: soft-masked letters stay what they are.
  upper = text.upper().split()
  for number, (before, word) in enumerate(zip(upper[:-1], upper[1:], strict=True), 2):
    if len(word) != len(before):
      raise NoOverlapError(f"word {number}, {word[:20]!r}, has {len(word)} letters, the one "
                           f"before has {len(before)}")
    if word[:-1] != before[1:]:
      raise NoOverlapError(f"word {number}, {word[:20]!r}, does not go on where "
                           f"{before[:20]!r} ends")
  return words[0] + "".join(word[-1] for word in words[1:])
