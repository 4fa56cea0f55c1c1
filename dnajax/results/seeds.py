"""Runs that differ in the seed only -> mean and spread of what they measured."""

import contextlib
import hashlib
import json
import os
import pathlib
import statistics
import tempfile

from dnajax import errors

# Of a config: what may differ between runs that are averaged, besides the seed.
_FREE = ("seed", "log", "checkpoint", "evals", "mesh")


def parse(texts):
  """["0", "3"] -> [0, 3]; seeds of runs, each once."""
  try:
    numbers = [int(text) for text in texts]
  except ValueError as error:
    raise errors.UserError(f"--seeds={','.join(texts)}: {error}. Give whole numbers "
                           "separated by commas, for example --seeds=0,1,2.") from error
  if min(numbers) < 0 or len(set(numbers)) < len(numbers):
    raise errors.UserError(f"--seeds={','.join(texts)}: each seed once, none below 0.")
  return numbers


def train(config, workdir, numbers, *, say=print):
  """One run after the other, then their evaluation: WORKDIR/seed_N and WORKDIR/report.

  The same call again resumes the run that was interrupted and leaves finished ones.

  Args:
    config: ConfigDict; its seed is replaced.
    workdir: directory above those of the runs.
    numbers: the seeds.
    say: called with a line of progress.
  """
  import jax

  from dnajax import config as config_lib
  from dnajax import evaluate, report
  from dnajax.training import run
  with _shared_programs():
    for n, seed in enumerate(numbers):
      say(f"\nseed {seed}, run {n + 1} of {len(numbers)}")
      one = config.copy_and_resolve_references()
      one.seed = seed
      path = pathlib.Path(workdir) / f"seed_{seed}"
      if run.run(one, path) < config_lib.load_workdir_config(path).total_steps:
        return  # asked to stop
    if jax.process_index() == 0:
      report.write_evaluated(workdir, evaluate.evaluate_all(workdir, say=say), say=say)


@contextlib.contextmanager
def _shared_programs():
  """While active, a run finds what the one before has compiled."""
  import jax
  from jax.experimental.compilation_cache import compilation_cache
  if jax.config.jax_compilation_cache_dir:
    yield
    return
  with tempfile.TemporaryDirectory() as cache:
    jax.config.update("jax_compilation_cache_dir", cache)
    try:
      yield
    finally:
      jax.config.update("jax_compilation_cache_dir", None)
      compilation_cache.reset_cache()


def workdirs(path):
  """The runs below a directory that `train` wrote into, by seed; [path] otherwise."""
  found = [folder for folder in pathlib.Path(path).glob("seed_*") if folder.is_dir()]
  return sorted(found, key=lambda folder: (len(folder.name), folder.name)) or [
      pathlib.Path(path)]


def run_name(workdir):
  """What a run is called in reports: its directory, with the one above if that says more."""
  path = pathlib.Path(workdir).resolve()
  return f"{path.parent.name}/{path.name}" if path.name.startswith("seed_") else path.name


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
  """Results of several runs, those of one setting at one step, or each at its best, as one.

  Args:
    found: what `evaluate.evaluate` returned, one per run.

  Returns:
    Entries as `evaluate.evaluate` makes them. Of n > 1 runs of one setting
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
    # A run of its own if an older version wrote it, or the seed comes twice.
    at = "best" if run.get("is_best") else run["step"]
    key = (run.get("setting", run["name"]), at, run["fingerprint"])
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
