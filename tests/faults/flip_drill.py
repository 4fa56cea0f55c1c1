"""Bit flips: python -m tests.faults.flip_drill WORKDIR DATA SCRATCH.

25 in files of a checkpoint's parameters, 10 each in columns and ArrayRecord files of a data set;
copies are damaged, never the originals. Each must be named, or change no value.
"""

import pathlib
import random
import shutil
import sys

import jax
import numpy as np

from dnajax.data import columns, records
from dnajax.shell import errors
from dnajax.workdir import load


def flips(paths, number, rng, read, want):
  """(named, without effect, wrong) over `number` random flips in `paths`."""
  found = [0, 0, 0]
  for _ in range(number):
    path = rng.choice(paths)
    whole = path.read_bytes()
    content = bytearray(whole)
    used = np.flatnonzero(np.frombuffer(whole, np.uint8)).tolist()  # ArrayRecord pads with 0
    content[rng.choice(used)] ^= 1 << rng.randrange(8)
    path.write_bytes(content)
    try:
      got = read()
      same = jax.tree.all(jax.tree.map(np.array_equal, got, want))
      found[1 if same else 2] += 1
    except errors.UserError as error:
      assert "damaged" in str(error) and "\n" not in str(error), error
      found[0] += 1
    path.write_bytes(whole)
  return found


def main():
  """Runs the drill."""
  workdir, data, scratch = map(pathlib.Path, sys.argv[1:4])
  rng = random.Random(0)
  shutil.copytree(workdir, scratch / "run")
  shutil.copytree(data / "simulated_barcodes", scratch / "data/simulated_barcodes")

  def content(folder, suffix=""):
    return [path for path in sorted(folder.rglob(f"*{suffix}"))
            if path.is_file() and path.stat().st_size]

  def params():
    return load.load(scratch / "run", step="latest").params

  def data_set():
    columns.open_columns.cache_clear()
    split = records.open_split(records.find(scratch / "data", "simulated_barcodes"), "train")
    return [split.bases(np.arange(split.num_records), 80), *map(split.labels, split.ranks)]

  def unpacked_again():
    for folder in list((scratch / "data").rglob("columns")):
      shutil.rmtree(folder)
    return data_set()

  latest = load.load(scratch / "run", step="latest").step
  for what, paths, number, read in (
      ("parameters", content(scratch / f"run/checkpoints/{latest}/params"), 25, params),
      ("columns", None, 10, data_set),
      ("ArrayRecord", content(scratch / "data", "-train.array_record*"), 10, unpacked_again)):
    want = read()
    paths = paths or [path for path in content(scratch / "data", ".npy")
                      if path.parent.name.startswith("train-")]
    named, harmless, wrong = flips(paths, number, rng, read, want)
    print(f"{what}: {number} flips, {named} named, {harmless} changed no value, "
          f"{wrong} used")


if __name__ == "__main__":
  main()
