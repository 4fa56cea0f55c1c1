"""n-gram counts: base pairs per second from FASTA, n = 1..10 together."""

import gzip
import pathlib
import shutil
import statistics
import tempfile
import time

import numpy as np

from dnajax.devices import host_memory
from dnajax.tokens import bases as base_codes

_LONGEST = 10
_COLUMNS = 80
_CHUNK = 1 << 16              # lines written at a time
_LONGEST_N_RUN = 50_000       # one such run begins in every chunk, 0.5 % of the bases
_NUM_REFERENCE = 2_000_000    # base pairs; the reference is slow


def measure(*, num_bases, rounds):
  """Times the counting of a made-up genome, and a plain reference on its beginning.

  The reference is NumPy, once for every n: number all windows of the record, drop
  those with an unknown letter, `bincount`.

  Args:
    num_bases: size of the genome.
    rounds: measurements of each figure.

  Returns:
    dict of figures.
  """
  from data_pipelines import ngrams  # here only: the library does not need it

  with tempfile.TemporaryDirectory() as folder:
    plain, small = (pathlib.Path(folder) / name for name in ("all.fa", "part.fa"))
    num_bases = _write_genome(plain, num_bases)
    num_small = _write_genome(small, min(num_bases, _NUM_REFERENCE))
    packed = plain.with_suffix(".fa.gz")
    with open(plain, "rb") as source, gzip.open(packed, "wb", compresslevel=1) as file:
      shutil.copyfileobj(source, file, 1 << 20)
    seconds = {plain: [], packed: []}
    for _ in range(rounds):
      for path, times in seconds.items():
        times.append(_timed(lambda path=path: ngrams.count(
            [str(path)], show_progress=False))[0])
    peak = host_memory.peak_mib()
    ours, reference = ngrams.count([str(small)], show_progress=False).of, []
    for _ in range(rounds):
      time_taken, expected = _timed(lambda: _reference(small))
      reference.append(time_taken)
  if any((ours[n] != expected[n]).any() for n in expected):
    raise AssertionError("The reference counts other n-grams.")
  rates = {path: num_bases / statistics.median(times) / 1e6
           for path, times in seconds.items()}
  figures = {
      "base pairs": num_bases, "base pairs of the reference": num_small,
      "Mbp/s from FASTA": rates[plain], "Mbp/s from gzipped FASTA": rates[packed],
      "peak memory (MiB)": peak,
      "reference: Mbp/s, NumPy for each n": num_small / statistics.median(reference) / 1e6}
  figures["ratio"] = figures["Mbp/s from FASTA"] / figures["reference: Mbp/s, NumPy for each n"]
  return figures


def _timed(call):
  before = time.perf_counter()
  result = call()
  return time.perf_counter() - before, result


def _write_genome(path, num_bases):
  """One contig of random letters, half of them in lower case; returns its size."""
  rng = np.random.default_rng(0)
  num_lines = max(1, num_bases // _COLUMNS)
  with open(path, "wb") as file:
    file.write(b">made up\n")
    for first in range(0, num_lines, _CHUNK):
      rows = min(_CHUNK, num_lines - first)
      letters = np.frombuffer(b"ACGTacgt", np.uint8)[
          rng.integers(0, 8, rows * _COLUMNS, dtype=np.uint8)]
      start = rng.integers(len(letters))
      letters[start:start + rng.integers(1, _LONGEST_N_RUN)] = ord("N")
      text = np.full((rows, _COLUMNS + 1), ord("\n"), np.uint8)
      text[:, :-1] = letters.reshape(rows, _COLUMNS)
      file.write(text.tobytes())
  return num_lines * _COLUMNS


def _reference(path):
  """{n: [4**n] counts} of a file with one record."""
  codes = base_codes.encode(
      b"".join(path.read_bytes().upper().split(b"\n")[1:])).astype(np.int64)
  out = {}
  for n in range(1, _LONGEST + 1):
    numbers = np.zeros(len(codes) - n + 1, np.int64)
    is_known = np.ones(len(numbers), bool)
    for i in range(n):
      letters = codes[i:i + len(numbers)]
      numbers = numbers * 4 + letters
      is_known &= letters < 4
    out[n] = np.bincount(numbers[is_known], minlength=4 ** n)
  return out
