"""Whatever is wrong with a file or a value: one line says so, and nothing is left behind.

More cases: DNAJAX_FUZZ=1000000 python -m pytest tests/test_fuzz.py
"""

import contextlib
import itertools
import os
import resource
import signal

from data_pipelines import ngrams
from data_pipelines.barcodes import ingest as barcodes
from data_pipelines.genome import ingest as genome
from data_pipelines.labelled import ingest as labelled
from data_pipelines.spool import Spool
from dnajax.config import experiment, overrides
from dnajax.inference import sources
from dnajax.shell import errors
from dnajax.workdir import checkpointing
from tests import tiny
from tests.fuzz import mutations
from tests.workdir import states

CASES = int(os.environ.get("DNAJAX_FUZZ", "10500"))
SECONDS = 20                   # for one file of at most some 100 kB, on a busy machine
MORE_MB = 700


@contextlib.contextmanager
def limits(what, longest=1000):
  """Only a UserError comes out, in time; of one line and at most `longest` characters."""
  def give_up(*_):
    raise AssertionError("hangs")
  before = signal.signal(signal.SIGALRM, give_up)
  signal.alarm(SECONDS)
  try:
    yield
  except errors.UserError as error:
    text = str(error)
    assert text and len(text) < longest, (what, text)
    assert longest == float("inf") or not set("\n\0") & set(text), (what, text)
  except BaseException as error:
    raise AssertionError(f"{what!r}: {error!r}") from error
  finally:
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def _embed(path, folder):
  with sources.opened([path]) as source:
    return list(source.records())


def _npmi(path, folder):
  return ngrams.count([path], num_threads=1, show_progress=False)


def _barcodes(path, folder):
  spool = Spool(folder / "spool", ("genus", "species"))
  barcodes.fill(spool, [(None, path)], barcodes.Options(
      deduplicate=True, hold_out=0.2,
      header_pattern=r"(?P<id>\S+) (?P<species>(?P<genus>\w+) \w+)"), show_progress=False)
  _read_back(spool)


def _genome(path, folder):
  spool = Spool(folder / "spool", ("contig",))
  cuts = genome.windows.Cuts(length=8, shortest=2, start_offset=2)
  genome.fill(spool, [path], genome.Options(cuts=cuts, valid_share=0), show_progress=False)
  _read_back(spool)


def _labelled(path, folder):
  spool = Spool(folder / "spool", ("label",))
  labelled.fill(spool, [("train", path), ("test", path)],
                labelled.Options(exclude_overlap="test"), show_progress=False)
  _read_back(spool)


def _read_back(spool):
  spool.finish()
  for split in spool.splits:
    list(spool.examples(split, 0, spool.num_batches(split)))


READERS = {"fasta": (_embed, _npmi, _barcodes, _genome), "fastq": (_embed, _barcodes),
           "tsv": (_embed, _barcodes), "csv": (_embed, _labelled),
           "parquet": (_embed, _barcodes)}


def test_damaged_files_are_refused_in_one_line(tmp_path):
  memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  path = tmp_path / "damaged"
  for number, (name, data) in enumerate(itertools.islice(
      mutations.files(0), int(CASES * 0.7))):
    path.write_bytes(data)
    read = READERS[name][number % len(READERS[name])]
    folder = tmp_path / str(number)
    folder.mkdir()
    with limits((read.__name__, data[:300])):
      read(str(path), folder)
    for left in folder.rglob("*.arrow"):
      left.unlink()
    (folder / "spool").exists() and (folder / "spool").rmdir()
    folder.rmdir()
  assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1e3 < MORE_MB


KEYS = ("model.encoder.width", "batch_size", "model.encoder.name", "optimizer.learning_rate",
        "seed", "masking.selection.name", "data.split", "evals.knn_genus", "losses.a.name",
        "checkpoint.keep", "train_steps", "data.max_length")
TEXTS = ("16", "-1", "kmer_span", "0.1", "true", "None", "[1, 2]", "1e400", "nan", "", "pretrain")


def test_damaged_overrides_are_refused_in_one_line():
  values = tiny.values("barcodemae", "/nowhere")
  keys, texts = mutations.texts(1, KEYS), mutations.texts(2, TEXTS)
  for key, text in itertools.islice(zip(keys, texts, strict=False), int(CASES * 0.3)):
    # What the person at the keyboard has typed is in the message as it was typed.
    with limits((key, text), longest=float("inf")):
      experiment.check(experiment.read(overrides.apply(values, [(key[:200], text[:2000])])))


def test_damaged_checkpoint_meta_is_refused_in_one_line(tmp_path):
  checkpointer = checkpointing.Checkpointer(tmp_path, keep=1)
  checkpointer.save(1, states.make(1), states.meta())
  checkpointer.close()
  folder = tmp_path / "checkpoints" / "1"
  paths = [*(path for path in (folder / "meta").iterdir() if path.is_file()),
           folder / "SHA256SUMS"]
  whole = {path: path.read_bytes() for path in paths}
  for path, data in whole.items():
    for damaged in itertools.islice(mutations.texts(3, [data]), int(CASES * 0.002)):
      path.write_bytes(damaged)
      with limits((path.name, damaged[:300]), longest=float("inf")):
        checkpointing.read_meta(tmp_path, 1)
    path.write_bytes(data)
