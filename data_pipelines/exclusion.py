"""Leak removal: which rows occur in another file."""

import dataclasses
import hashlib
import os
import re

from data_pipelines import sequences
from dnajax.shell import errors

KEYS = ("sequence", "id", "species", "bin")


def digest(bases):
  """16 bytes that stand for a sequence; a few million of them fit in memory."""
  return hashlib.blake2b(bases, digest_size=16).digest()


@dataclasses.dataclass
class Exclusion:
  """What must not be kept: {key: set}; sequences as digests of their bases."""
  found: dict

  def reason(self, record, sequence_digest):
    """Why this record is excluded, or None. The first of KEYS that hits counts."""
    for key, values in self.found.items():
      value = (sequence_digest if key == "sequence" else record.id if key == "id"
               else record.fields.get(key, ""))
      if value and value in values:
        return f"excluded_by_{key}"
    return None


def parse(argument):
  """"FILE" or "FILE:split1,split2" -> (file, splits or None)."""
  if os.path.exists(argument):
    return argument, None
  match = re.fullmatch(r"(.+):([\w,]+)", argument)
  if not match:
    return argument, None
  return match[1], [name for name in match[2].split(",") if name]


def load(arguments, *, by, cleaning, **read_options):
  """Reads the files to exclude.

  Args:
    arguments: texts as `parse` takes them.
    by: some of KEYS.
    cleaning: cleaning.Cleaning, that of the kept file, so that the same specimen has the
      same bases.
    **read_options: for `sequences.read`.

  Returns:
    Exclusion.

  Raises:
    UserError: unknown key, a split the file does not have, or a damaged file.
  """
  unknown = [key for key in by if key not in KEYS]
  if unknown or not by:
    raise errors.UserError(f"--exclude_by={','.join(by)}: give some of {', '.join(KEYS)}.")
  found = {key: set() for key in KEYS if key in by}
  for argument in arguments:
    path, splits = parse(argument)
    seen = dict.fromkeys(splits or (), 0)
    others = set()
    for record in sequences.read(path, **read_options):
      split = record.fields.get("split", "")
      if splits is not None and split not in seen:
        others.add(split)
        continue
      if splits is not None:
        seen[split] += 1
      for rank in ("species", "bin"):
        if rank in found:
          found[rank].add(record.fields.get(rank, ""))
      if "id" in found:
        found["id"].add(record.id)
      if "sequence" in found:
        found["sequence"].add(digest(cleaning.clean(record.sequence)))
    missing = [name for name, count in seen.items() if not count]
    if missing:
      has = sorted((others | set(seen)) - set(missing) - {""})
      raise errors.UserError(f"--exclude={argument}: {path} has no rows of split "
                             f"{', '.join(missing)}. Its splits: {', '.join(has) or 'none'}.")
  return Exclusion(found)
