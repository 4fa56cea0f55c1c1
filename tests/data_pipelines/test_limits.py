"""Files made to hang or to eat the memory are refused, in bounded memory and time."""

import errno
import gzip
import signal
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from data_pipelines import cleaning, files, ngrams, pmi_table, prepare, sequences
from dnajax.shell import errors
from tests import tiny


def read(path, **options):
  return list(sequences.read(str(path), **options))


ENDLESS = {"a.fa": (b">a\n", b"A"), "b.fa": (b">", b"a"), "c.fa": (b">a\nAC\n", b" "),
           "d.fq": (b"@a\n", b"A"), "e.tsv": (b"id\tsequence\na\t", b"A"),
           "f.csv": (b'id,sequence\na,"', b"A" * 999 + b"\n"), "g.tsv": (b"", b"A")}


def test_an_endless_line_is_refused_in_little_memory(tmp_path):
  """300 MB each, from files of 1 MB."""
  for name, (start, body) in ENDLESS.items():
    block = gzip.compress(body * (10_000_000 // len(body)), 1)
    (tmp_path / name).write_bytes(gzip.compress(start) + block * 30)
  code = """if True:
    import resource, sys
    from data_pipelines import sequences
    from dnajax.shell import errors
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for path in sys.argv[1:]:
      try:
        list(sequences.read(path))
      except errors.UserError as error:
        print("refused", error)
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1000)"""
  out = subprocess.run([sys.executable, "-c", code, *(str(tmp_path / name) for name in ENDLESS)],
                       text=True, capture_output=True, check=True, timeout=100).stdout
  assert out.count("refused") == len(ENDLESS), out
  assert int(out.split()[-1]) < 200, out      # MB


def test_the_limit_of_a_record_is_raised_by_a_flag(tmp_path):
  for name, text in (("a.fa", ">a\n{}\n"), ("a.fq", "@a\n{0}\n+\n{0}\n"),
                     ("a.tsv", "id\tsequence\na\t{}\n")):
    path = tmp_path / name
    path.write_text(text.format("A" * 3_000_000))
    with pytest.raises(errors.UserError, match="max_record_bp"):
      read(path, max_record_bp=1_000_000)
    assert len(read(path, max_record_bp=3_000_000)[0].sequence) == 3_000_000


def test_many_wrong_letters_are_explained_at_once(tmp_path):
  path = tmp_path / "a.fa"
  path.write_text(">a\n" + "ACGT\n" * 3 + "EX" * 500_000 + "\n")
  for run in (lambda: ngrams.count([str(path)], show_progress=False),
              lambda: prepare.prepare_genome([str(path)], str(tmp_path / "data"),
                                             show_progress=False)):
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.alarm(20)
    try:
      with pytest.raises(errors.UserError, match="line 5.*'EX'"):
        run()
    finally:
      signal.alarm(0)
  assert not (tmp_path / "data").exists()


def test_a_pattern_looks_at_the_start_of_a_long_header(tmp_path):
  path = tmp_path / "a.fa"
  path.write_text(f">{'a' * 200_000} Aus bus\nACGT\n")
  signal.signal(signal.SIGALRM, signal.default_int_handler)
  signal.alarm(20)
  try:
    with pytest.raises(errors.UserError, match="line 1.*does not match"):
      read(path, header_pattern=r"(?P<id>\S+) (?P<species>(?P<genus>\w+) \w+)")
  finally:
    signal.alarm(0)


def test_protein_is_told_from_dna(tmp_path):
  path = tmp_path / "a.fa"
  path.write_text(">a\nACGTRYSWKMBDHVNNNU-acgt\n>p\nMKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQ\n")
  with pytest.raises(errors.UserError, match="line 3.*'p' is no DNA"):
    read(path)
  assert len(read(path, allow_protein=True)) == 2
  rng = np.random.default_rng(0)
  letters = list(cleaning.IUPAC.decode())
  assert not any(cleaning.is_protein("".join(rng.choice(letters, 50))) for _ in range(100))


@pytest.mark.parametrize("column, message", [
    (pa.array([b"AC\xffGT"]).view(pa.string()), "damaged"), (pa.array([b"AC\xff"]), "damaged"),
    (pa.array([[1]]), "list<"), (pa.array([{"a": 1}]), "struct<"),
    (pa.array([0], pa.timestamp("us")), "timestamp"), (pa.array(["A\0"]), "NUL")])
def test_parquet_that_holds_no_text_is_refused(tmp_path, column, message):
  path = tmp_path / "a.parquet"
  parquet.write_table(pa.table({"id": ["a"], "sequence": column}), path)
  with pytest.raises(errors.UserError, match=message):
    read(path)


def test_a_small_parquet_of_long_cells_is_refused(tmp_path):
  path = tmp_path / "a.parquet"
  one = pa.array(["A" * (files.MAX_RECORD_BP + 1)])
  parquet.write_table(pa.table({"id": ["a"], "sequence": one}), path)
  with pytest.raises(errors.UserError, match="row|line 1"):
    read(path)


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
  table = tmp_path / "a.tsv"
  rng = np.random.default_rng(0)
  table.write_text("id\tsequence\n" + "".join(
      f"{i}\t{''.join(rng.choice(list('ACGT'), 600))}\n" for i in range(3000)))
  code = """if True:
    import resource, sys
    from data_pipelines import prepare
    from dnajax.shell import errors
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
    try:
      prepare.prepare_barcodes([sys.argv[1]], sys.argv[2], show_progress=False)
    except errors.UserError as error:
      print("refused:", error)"""
  done = subprocess.run([sys.executable, "-c", code, str(table), str(tmp_path / "data")],
                        text=True, capture_output=True, check=False, timeout=100)
  assert done.stdout.startswith("refused:") and "writing failed" in done.stdout, done
  assert not (tmp_path / "data").exists()

  def full(*args, **kwargs):
    raise OSError(errno.ENOSPC, "No space left on device")
  monkeypatch.setattr(np, "savez_compressed", full)
  counts = ngrams.count_sequences(["ACGTACGTACGGT"])
  made = pmi_table.make(counts, 2, method="exact", min_count=1)
  with pytest.raises(errors.UserError, match="No space left"):
    pmi_table.write_table(tmp_path / "t.npz", made)
  assert {path.name for path in tmp_path.iterdir()} == {"a.tsv"}


@pytest.mark.parametrize("command, flags", [
    ("dnajax.embed", ["--workdir=none", "--input={}", "--output={}.npy"]),
    ("dnajax.identify", ["--references={}", "--index={}.index"])])
def test_embed_and_identify_have_the_limit_of_prepare(tmp_path, command, flags):
  path = tmp_path / "a.tsv"
  path.write_text(f"id\tsequence\tgenus\na\t{'ACGT' * 600_000}\tG\n")
  code, _, err = tiny.call(command, *(flag.format(path) for flag in flags),
                           "--max_record_bp=1_000_000")
  assert code == 2 and err.count("\n") == 1, err
  assert "longer than 1,000,000 letters" in err and "--max_record_bp" in err
