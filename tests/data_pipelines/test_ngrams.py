"""Counts of n-grams: equal to looking at every substring."""

import collections
import gzip
import itertools
import threading

import numpy as np
import pytest

from data_pipelines import ngrams
from dnajax.bench import npmi as bench
from dnajax.shell import errors

COMPLEMENT = str.maketrans("ACGT", "TGCA")


def names(n):
  """All n-grams in ACGT order."""
  return ["".join(letters) for letters in itertools.product("ACGT", repeat=n)]


def slow_counts(sequences, n):
  """Every substring of n letters that are all A, C, G or T."""
  found = collections.Counter(
      text[i:i + n] for text in sequences for i in range(len(text) - n + 1))
  return [found[name] for name in names(n)]


def plain(sequence):
  return sequence.upper().replace("U", "T")


def random_records(rng, num, longest, letters="ACGTacgtUuNnRy"):
  share = np.array([1 if letter.upper() in "ACGTU" else .15 for letter in letters])
  return ["".join(rng.choice(list(letters), rng.integers(1, longest), p=share / share.sum()))
          for _ in range(num)]


def write_fasta(path, sequences, width=7, compress=bytes):
  lines = [f">r{i}\n" + "".join(text[a:a + width] + "\n" for a in range(0, len(text), width))
           for i, text in enumerate(sequences)]
  path.write_bytes(compress("".join(lines).encode()))
  return str(path)


@pytest.mark.parametrize("num_threads", [1, 2])
@pytest.mark.parametrize("block", [1, 2, 3, 8, 9, 10, 11, 50, 1 << 20])
def test_counts_are_those_of_all_substrings(tmp_path, monkeypatch, block, num_threads):
  monkeypatch.setattr(ngrams, "_LETTERS", block)
  for seed in range(4):
    rng = np.random.default_rng(seed)
    records = random_records(rng, 5, [4, 12, 60, 90][seed])
    paths = [write_fasta(tmp_path / "a.fa", records[:3]),
             write_fasta(tmp_path / "b.fa.gz", records[3:], compress=gzip.compress)]
    got = ngrams.count(paths, num_threads=num_threads, show_progress=False)
    sequences = [plain(text) for text in records]
    assert sorted(got.of) == list(range(1, 11))
    for n in (1, 2, 3, 6):
      assert got.of[n].tolist() == slow_counts(sequences, n)
    for n in (9, 10):            # 4**10 names would take seconds
      expected = collections.Counter(
          text[i:i + n] for text in sequences for i in range(len(text) - n + 1)
          if set(text[i:i + n]) <= set("ACGT"))
      digits = {name: int(name.translate(str.maketrans("ACGT", "0123")), 4)
                for name in expected}
      assert {name: got.of[n][i] for name, i in digits.items()} == expected
      assert got.of[n].sum() == sum(expected.values()) and len(got.of[n]) == 4 ** n
    assert got.num_records == 5 and got.num_letters == sum(map(len, records))
    assert got.num_unknown == sum(x not in "ACGT" for text in sequences for x in text)


@pytest.mark.parametrize("sequence", ["A", "N", "NNNN", "ACGTACGTA", "ACGTACGTAC", "NACGTACGTAC",
                                      "ACGTACGTACN", "ACGTACGTACNACGTACGTAC", "A" * 40])
def test_runs_of_about_ten_letters_are_counted_to_their_ends(tmp_path, sequence):
  got = ngrams.count([write_fasta(tmp_path / "a.fa", [sequence])], show_progress=False)
  for n in (1, 2, 5):
    assert got.of[n].tolist() == slow_counts([sequence], n)
  assert [int(got.of[n].sum()) for n in range(1, 11)] == [
      sum(max(0, len(run) - n + 1) for run in sequence.split("N")) for n in range(1, 11)]


def test_ngrams_do_not_cross_records_or_files(tmp_path):
  paths = [write_fasta(tmp_path / "a.fa", ["AA", "CC"]), write_fasta(tmp_path / "b.fa", ["GG"])]
  got = ngrams.count(paths, show_progress=False)
  assert dict(zip(names(2), got.of[2].tolist(), strict=True)) == {
      **dict.fromkeys(names(2), 0), "AA": 1, "CC": 1, "GG": 1}


def test_merged_strands_are_the_counts_of_the_sequence_and_its_other_strand(tmp_path):
  records = [plain(text) for text in random_records(np.random.default_rng(1), 4, 200)]
  both = records + ["".join(x.translate(COMPLEMENT) for x in text[::-1]) for text in records]
  got = ngrams.merge_strands(
      ngrams.count([write_fasta(tmp_path / "a.fa", records)], show_progress=False).of)
  for n in (1, 2, 3, 5):
    assert got[n].tolist() == slow_counts(both, n)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_the_reverse_complement_of_a_table_moves_every_entry_to_the_other_strand(n):
  table = np.random.default_rng(n).permutation(4 ** n)
  at = dict(zip(names(n), table.tolist(), strict=True))
  assert ngrams.reverse_complement(table).tolist() == [
      at[name.translate(COMPLEMENT)[::-1]] for name in names(n)]


def test_beginnings_are_sums_over_the_letters_that_follow():
  table = np.random.default_rng(0).integers(0, 99, 4 ** 4)
  at = dict(zip(names(4), table.tolist(), strict=True))
  got = ngrams.beginnings(table)
  assert sorted(got) == [1, 2, 3, 4]
  for n, counts in got.items():
    assert counts.tolist() == [sum(count for name, count in at.items()
                                   if name.startswith(start)) for start in names(n)]


@pytest.mark.parametrize("letters, shown", [("AC-GT", "'-'"), ("ACxGT*", "'[*]x'")])
def test_other_letters_are_refused_with_file_and_line(tmp_path, letters, shown):
  path = tmp_path / "a.fa"
  path.write_text(f">a\nACGT\n>b\nACGT\n{letters}\n")
  with pytest.raises(errors.UserError, match=f"a.fa, line 5: .*{shown}"):
    ngrams.count([str(path)], show_progress=False)


def test_all_files_are_looked_at_before_the_first_is_counted(tmp_path, monkeypatch):
  good = write_fasta(tmp_path / "a.fa", ["ACGT"])
  monkeypatch.setattr(ngrams._Tally, "add", lambda *_: pytest.fail("counted"))
  with pytest.raises(errors.UserError, match="no file"):
    ngrams.count([good, str(tmp_path / "b.fa")], show_progress=False)


def test_an_error_in_a_thread_reaches_the_caller_and_nothing_hangs(tmp_path, monkeypatch):
  monkeypatch.setattr(ngrams, "_LETTERS", 10)

  def fail(*_):
    raise MemoryError("no room")
  monkeypatch.setattr(ngrams._Tally, "add", fail)
  before = threading.active_count()
  with pytest.raises(MemoryError):
    ngrams.count([write_fasta(tmp_path / "a.fa", ["ACGT" * 99] * 9)], show_progress=False)
  assert threading.active_count() == before


def test_the_benchmark_counts_what_its_plain_reference_counts(monkeypatch):
  monkeypatch.setattr(bench, "_NUM_REFERENCE", 30_000)
  monkeypatch.setattr(bench, "_CHUNK", 300)                    # several runs of N
  monkeypatch.setattr(bench, "_LONGEST_N_RUN", 900)
  figures = bench.measure(num_bases=100_000, rounds=1)         # compares the counts
  assert figures["base pairs"] == 100_000 and figures["base pairs of the reference"] == 30_000
  assert figures["Mbp/s from FASTA"] > 0 and figures["ratio"] > 0
