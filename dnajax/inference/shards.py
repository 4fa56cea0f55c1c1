"""An output in several files, so that a killed run goes on where it was.

OUT.parquet becomes OUT-00000.parquet, OUT-00001.parquet, … with so many sequences each, and
OUT.shards.json, which says what they were made of and, when all are there, how many they
are. A file under its own name is complete. What one holds depends on its number alone, so
any number of processes, or of runs, makes the same bytes.
"""

import json
import re

from dnajax.inference import writers
from dnajax.shell import errors, files


class Shards:
  """The files of one output."""

  def __init__(self, output, identity):
    """output: path with a suffix of `writers.WRITERS`. identity: dict, JSON-serialisable, of
    all that the content depends on; "input" and "checkpoint" among it."""
    self._output = writers.targets_of(output)[0]
    self._identity = json.loads(json.dumps(identity))
    self.manifest = self._output.with_name(f"{self._output.stem}.shards.json")

  def path(self, number):
    """Of a shard."""
    return self._output.with_name(f"{self._output.stem}-{number:05d}{self._output.suffix}")

  def is_done(self, number):
    """Whether a shard is complete."""
    return all(target.exists() for target in writers.targets_of(self.path(number)))

  def begin(self, *, overwrite):
    """Makes sure that what is there was made of the same; writes what it is made of.

    Args:
      overwrite: whether other shards of this output are removed.

    Returns:
      Whether everything is there already.

    Raises:
      UserError: other shards are there and are to stay; says what differs.
    """
    there = self._there()
    before = self._read()
    if before is not None and before["made_of"] == self._identity:
      return before["num_shards"] is not None and all(
          self.is_done(number) for number in range(before["num_shards"]))
    if not overwrite and before is not None:
      raise errors.UserError(
          f"{self.manifest} and its files were made of something else: "
          f"{_difference(before['made_of'], self._identity)}. Choose another --output or add "
          "--overwrite.")
    if not overwrite and there:
      raise errors.UserError(f"{there[0]} exists and is of no known run. Choose another "
                             "--output or add --overwrite.")
    for path in [self.manifest, *there]:
      path.unlink(missing_ok=True)
    self.manifest.parent.mkdir(parents=True, exist_ok=True)
    self._write(None, None)
    return False

  def finish(self, num_shards, num_sequences):
    """Says that everything is there.

    Raises:
      UserError: a shard is missing, as on a disk that the processes do not share.
    """
    missing = [number for number in range(num_shards) if not self.is_done(number)]
    if missing:
      raise errors.UserError(
          f"{self.path(missing[0])} and {len(missing) - 1} more are missing: --output has to be "
          "in a folder that all processes share. The same command makes them.")
    self._write(num_shards, num_sequences)

  def _there(self):
    """Files that look like shards of this output, and what belongs to them."""
    pattern = re.compile(re.escape(self._output.stem) + r"-\d{5,}"
                         + re.escape(self._output.suffix))
    folder = self._output.parent
    found = sorted(path for path in folder.iterdir() if pattern.fullmatch(path.name)
                   ) if folder.is_dir() else []
    return [target for path in found for target in writers.targets_of(path)]

  def _read(self):
    try:
      found = json.loads(self.manifest.read_text("utf-8"))
      return {"made_of": found["made_of"], "num_shards": found["num_shards"]}
    except FileNotFoundError:
      return None
    except (ValueError, KeyError, TypeError):
      raise errors.UserError(f"{self.manifest} is damaged. Remove it and the files beside it, "
                             "or choose another --output.") from None

  def _write(self, num_shards, num_sequences):
    files.write_text(self.manifest, json.dumps(
        {"made_of": self._identity, "num_shards": num_shards, "num_sequences": num_sequences,
         "names": f"{self._output.stem}-NNNNN{self._output.suffix}"}, indent=1) + "\n")


def _difference(before, now):
  """The entries that differ, in words."""
  words = []
  for key in sorted(before.keys() | now.keys()):
    one, other = before.get(key), now.get(key)
    if one != other:
      is_short = not any(isinstance(x, dict | list) for x in (one, other))
      words.append(f"{key} (then {one}, now {other})" if is_short else key)
  return ", ".join(words)
