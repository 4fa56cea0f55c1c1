"""Runs that differ in the seed only -> mean and spread of what they measured."""

import hashlib
import json
import os
import statistics

# Of a config: what may differ between runs that are averaged, besides the seed.
_FREE = ("seed", "log", "checkpoint", "evals", "mesh")


def setting(config):
  """A name for everything in a config but the seed; equal in runs to be averaged.

  Args:
    config: nested dict, JSON-serialisable.

  Returns:
    16 hexadecimal digits.
  """
  values = {key: value for key, value in config.items() if key not in _FREE}
  values["data"] = {key: value for key, value in config["data"].items() if key != "dir"}
  text = json.dumps(values, sort_keys=True, default=list)
  return hashlib.sha256(text.encode()).hexdigest()[:16]


def merge(found):
  """Results of several runs, those of one setting at one step as one.

  Args:
    found: what `evaluate.evaluate` returned, one per run.

  Returns:
    Entries as `evaluate.evaluate` makes them. Of n > 1 runs of one setting
    there is one for each metric, with the mean as `value`, and also `values`
    (one per seed), `seeds` and `spread` (standard deviation, n - 1 in the
    denominator); `run` is what their names begin with.
  """
  groups = {}
  for one in found:
    run = one["run"]
    # A run of its own if an older version wrote it, or the seed comes twice.
    key = (run.get("setting", run["name"]), run["step"], run["fingerprint"])
    if any(run["seed"] == other["run"]["seed"] for other in groups.get(key, ())):
      key = (*key, run["name"])
    groups.setdefault(key, []).append(one)
  return [entry for group in groups.values() for entry in _merged(group)]


def _merged(group):
  if len(group) == 1:
    return group[0]["results"]
  names = [one["run"]["name"] for one in group]
  name = os.path.commonprefix(names).rstrip("-_./ ") or names[0]
  name += f" ({len(group)} seeds)"
  same = {}
  for one in group:
    for entry in one["results"]:
      key = (entry["evaluator"], entry["task"], entry["features"], entry["metric"])
      same.setdefault(key, []).append(entry)
  return [_mean(name, entries) for entries in same.values()]


def _mean(name, entries):
  values = [entry["value"] for entry in entries]
  is_known = None not in values
  return {**entries[0], "run": name, "values": values,
          "seeds": [entry["seed"] for entry in entries],
          "value": statistics.fmean(values) if is_known else None,
          "spread": statistics.stdev(values) if is_known and len(values) > 1 else None}
