"""One run per seed, then means and spreads: `python -m dnajax.main --seeds=0,1,2`."""

import contextlib
import tempfile

import jax
from jax.experimental.compilation_cache import compilation_cache

from dnajax.results import measure, report
from dnajax.shell import errors, files
from dnajax.training import run


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


def train(values, workdir, numbers, *, say=print):
  """One run after the other, then their evaluation: WORKDIR/seed_N and WORKDIR/report.

  The same call again resumes the run that was interrupted and leaves finished ones.

  Args:
    values: nested dict, the config; its seed is replaced.
    workdir: directory above those of the runs.
    numbers: the seeds.
    say: called with a line of progress.

  Returns:
    Whether all runs are finished; False if one was asked to stop.
  """
  workdir = files.path(workdir)
  with _shared_programs():
    for n, seed in enumerate(numbers):
      say(f"\nseed {seed}, run {n + 1} of {len(numbers)}")
      last, total = run.run({**values, "seed": seed}, workdir / f"seed_{seed}")
      if last < total:
        return False
    if jax.process_index() == 0:
      report.write_evaluated(workdir, measure.evaluate_all(workdir, say=say), say=say)
  return True


@contextlib.contextmanager
def _shared_programs():
  """While active, a run finds what the one before has compiled."""
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
