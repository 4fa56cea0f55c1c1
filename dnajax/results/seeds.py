"""Runs that differ in the seed only -> mean and spread of what they measured."""

import hashlib
import json
import os
import statistics

from dnajax.shell import files
from dnajax.workdir import resume


def workdirs(path):
  """The runs below a directory of several seeds, by seed; [path] otherwise."""
  path = files.path(path)
  found = [folder for folder in path.glob("seed_*") if folder.is_dir()]
  return sorted(found, key=lambda folder: (len(folder.name), folder.name)) or [path]


def run_name(workdir):
  """What a run is called in reports: its directory, with the one above if that says more."""
  path = files.absolute(workdir)
  return f"{path.parent.name}/{path.name}" if path.name.startswith("seed_") else path.name


def setting(config):
  """A name for everything in a config but the seed; equal in runs to be averaged.

  Args:
    config: nested dict, JSON-serialisable.

  Returns:
    16 hexadecimal digits.
  """
  values = resume.fixed(config)
  del values["seed"]
  text = json.dumps(values, sort_keys=True, default=list)
  return hashlib.sha256(text.encode()).hexdigest()[:16]


def merge(found):
  """Results of several runs, those of one setting at one step, or each at its best, as one.

  Args:
    found: what `measure.evaluate` returned, one per run.

  Returns:
    Entries as `measure.evaluate` makes them. Of n > 1 runs of one setting
    there is one for each metric, with the mean as `value`, and also `values`
    (one per seed), `seeds` and `spread` (standard deviation, n - 1 in the
    denominator); `run` is what their names begin with.
  """
  return [entry for group in groups(found) for entry in _merged(group)]


def groups(found):
  """The same list as lists of those that `merge` makes one of."""
  out = {}
  for one in found:
    run = one["run"]
    at = "best" if run["is_best"] else run["step"]
    key = (run["setting"], at, run["fingerprint"])
    # A run of its own if the seed comes twice.
    if any(run["seed"] == other["run"]["seed"] for other in out.get(key, ())):
      key = (*key, run["name"])
    out.setdefault(key, []).append(one)
  return list(out.values())


def group_name(group):
  """What the runs of a group are called together: what their names begin with."""
  names = [one["run"]["name"] for one in group]
  if len(group) == 1:
    return names[0]
  name = os.path.commonprefix(names).rstrip("-_./ ").removesuffix("/seed") or names[0]
  return f"{name} ({len(group)} seeds)"


def _merged(group):
  if len(group) == 1:
    return group[0]["results"]
  same = {}
  for one in group:
    for entry in one["results"]:
      key = (entry["evaluator"], entry["task"], entry["features"], entry["metric"])
      same.setdefault(key, []).append(entry)
  return [_mean(group_name(group), entries) for entries in same.values()]


def _mean(name, entries):
  values = [entry["value"] for entry in entries]
  is_known = None not in values
  steps = [entry["step"] for entry in entries]
  return {**entries[0], "run": name, "values": values,
          "step": steps[0] if len(set(steps)) == 1 else f"{min(steps)}–{max(steps)}",
          "seeds": [entry["seed"] for entry in entries],
          "value": statistics.fmean(values) if is_known else None,
          "spread": statistics.stdev(values) if is_known and len(values) > 1 else None}
