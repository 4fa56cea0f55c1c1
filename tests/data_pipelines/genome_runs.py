"""Commands that the tests of the genome data sets share."""

import json
import os
import pathlib
import subprocess
import sys

_ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
_ONE_DEVICE = {**os.environ, "XLA_FLAGS": os.environ["DNAJAX_TEST_XLA_FLAGS"]}


def run(*args):
  """`python -m ...`, finished; output as text."""
  return subprocess.run([sys.executable, "-m", *map(str, args)], cwd=_ROOT, env=_ONE_DEVICE,
                        capture_output=True, text=True, check=False)


def two_updates(data_dir, name, workdir, *more):
  """Trains the tiny BarcodeMAE for two updates on a genome.

  Args:
    data_dir, name: of the data set.
    workdir: of the run.
    *more: further overrides.

  Returns:
    {metric: value}, the last row of each; the neighbours are windows of `valid` whose
    contig is to be told from windows of `pretrain`.
  """
  splits = [f"--config.evals.{evaluator}.{key}" for evaluator in ("knn_genus", "knn_genus_kmers")
            for key in ("key_split=pretrain", "query_split=valid", "label=contig",
                        "max_keys=64", "max_queries=64")]
  done = run("dnajax.main", "--config=configs/barcodemae.py:tiny", f"--workdir={workdir}",
             f"--config.data.dir={data_dir}", f"--config.data.name={name}",
             "--config.data.split=pretrain", "--config.total_steps=2", "--config.batch_size=8",
             "--config.evals.masked_loss.split=valid",
             "--config.evals.masked_loss.max_records=64", *splits,
             "--config.evals.knn_genus_centred=None",
             "--config.evals.knn_genus_centred_kmers=None", *more)
  assert done.returncode == 0, done.stderr
  values = {}
  for line in (workdir / "metrics.jsonl").read_text().splitlines():
    values.update(json.loads(line))
  return values
