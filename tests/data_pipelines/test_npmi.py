"""PMI tables: equal to the formulas over all segmentations; the command and its errors."""

import collections
import importlib.util
import itertools
import json
import math
import re
import subprocess
import sys

import numpy as np
import pytest

from data_pipelines import ngrams, npmi, pmi_table
from dnajax.masking import pmi
from dnajax.shell import errors
from dnajax.tokens import vocabulary

COMPLEMENT = str.maketrans("ACGT", "TGCA")


def names(n):
  return ["".join(letters) for letters in itertools.product("ACGT", repeat=n)]


def random_sequence(seed, length, letters="ACGTN", share=(.4, .2, .15, .24, .01)):
  return "".join(np.random.default_rng(seed).choice(list(letters), length, p=share))


def slow_counts(sequence, k):
  """{n-gram: count} for n = 1..k."""
  return collections.Counter(
      sequence[i:i + n] for n in range(1, k + 1) for i in range(len(sequence) - n + 1)
      if "N" not in sequence[i:i + n])


def as_tables(count_of, k):
  return {n: np.array([count_of[name] for name in names(n)]) for n in range(1, k + 1)}


def segmentations(word, longest):
  """All ways to cut a word into pieces of 1..longest letters."""
  if not word:
    yield []
  for n in range(1, min(longest, len(word)) + 1):
    for rest in segmentations(word[n:], longest):
      yield [word[:n], *rest]


def slow_pmi(word, count_of, longest, denominator):
  num_bases = sum(count_of[letter] for letter in "ACGT")

  def log_p(piece):
    return math.log(count_of[piece] / (denominator * num_bases))
  return min(log_p(word) - sum(map(log_p, pieces))
             for pieces in segmentations(word, longest))


@pytest.mark.parametrize("k", [2, 3, 4, 5])
@pytest.mark.parametrize("method, longest, denominator", [("published", 2, 2), ("exact", 99, 1)])
def test_scores_are_the_least_pmi_over_the_segmentations(k, method, longest, denominator):
  count_of = slow_counts(random_sequence(k, 1_500), k)
  table = pmi_table.make(as_tables(count_of, k), k, method=method, min_count=4)
  plain = pmi_table.make(as_tables(count_of, k), k, method=method, min_count=4,
                         discount="none")
  assert table.kmers.tolist() == names(k) and table.count.sum() == table.provenance["num_kmers"]
  num_scored = 0
  for word, score, undiscounted in zip(names(k), table.score, plain.score, strict=True):
    f = count_of[word]
    if f < 4:
      assert score == undiscounted == -np.inf
      continue
    num_scored += 1
    expected = slow_pmi(word, count_of, min(longest, k - 1), denominator)
    assert undiscounted == pytest.approx(expected, abs=1e-9)
    discount = math.log(f) / (math.log(f) + math.log(4))
    assert score == pytest.approx(expected * discount, abs=1e-9)
  assert 0 < num_scored and (k < 5 or num_scored < 4 ** k)


def test_the_published_method_is_its_formula_with_two_letters_at_most():
  count_of = slow_counts(random_sequence(7, 4_000), 3)
  table = pmi_table.make(as_tables(count_of, 3), 3, method="published", min_count=2)
  p = {w: f / (2 * sum(count_of[x] for x in "ACGT")) for w, f in count_of.items()}
  for word, score in zip(names(3), table.score, strict=True):
    a, b, c = word
    chance = max(p[a] * p[b] * p[c], p[a + b] * p[c], p[a] * p[b + c])
    f = count_of[word]
    assert score == pytest.approx(
        math.log(p[word] / chance) * math.log(f) / (math.log(f) + math.log(2)), abs=1e-9)


def test_a_denominator_of_two_adds_ln_2_for_every_piece_but_the_first():
  counts = as_tables(slow_counts(random_sequence(3, 5_000), 3), 3)
  once = pmi_table.least_pmi(counts, 3, longest_piece=1, denominator=1)
  twice = pmi_table.least_pmi(counts, 3, longest_piece=1, denominator=2)
  np.testing.assert_allclose(twice - once, 2 * math.log(2))


@pytest.mark.parametrize("count, expected", [(2_947, .633827), (198_550_581, .805447)])
def test_the_discount_is_that_of_the_published_table(count, expected):
  got = pmi_table.discount_of(np.array([count]), 101)
  assert got[0] == pytest.approx(expected, abs=5e-7)
  assert pmi_table.discount_of(np.array([1, count]), 1).tolist() == [1, 1]


def test_ranks_are_those_of_a_stable_sort_and_rare_kmers_come_last():
  score = np.array([.5, -np.inf, 2, .5, -np.inf, -3, 2])
  order = sorted(range(7), key=lambda i: (-score[i], i))
  rank = pmi_table.rank(score)
  assert [order.index(i) + 1 for i in range(7)] == rank.tolist() == [3, 6, 1, 4, 7, 5, 2]


def test_equal_counts_tie_and_go_in_the_order_of_the_kmers():
  counts = {n: np.full(4 ** n, 4 ** (3 - n)) for n in (1, 2, 3)}
  counts[3] = np.full(64, 7)
  table = pmi_table.make(counts, 3, method="exact", min_count=1)
  assert table.rank.tolist() == list(range(1, 65))


def write_fasta(path, *sequences):
  path.write_text("".join(f">r{i}\n{text}\n" for i, text in enumerate(sequences)))
  return str(path)


@pytest.mark.parametrize("method", ["published", "exact"])
def test_merged_strands_score_a_kmer_like_its_other_strand(tmp_path, method):
  sequence, k = random_sequence(5, 9_000), 5
  path = write_fasta(tmp_path / "a.fa", sequence.lower())
  once = slow_counts(sequence, k)
  both = once + slow_counts(sequence.translate(COMPLEMENT)[::-1], k)
  options = dict(k=k, method=method, min_count=5, show_progress=False)
  table = npmi.make_table([path], strands="merged", **options)
  assert table.count.tolist() == [both[name] for name in names(k)]
  assert table.provenance["num_bases"] == 2 * (9_000 - sequence.count("N"))
  found = {name: (score, rank) for name, score, rank in zip(
      names(k), table.score, table.rank, strict=True)}
  for name in names(k):
    other = name.translate(COMPLEMENT)[::-1]
    assert found[name][0] == found[other][0]                   # to the last bit
    assert name >= other or found[name][1] < found[other][1]   # so that the ranks are ties
  some = [name for name in names(k)[::37] if both[name] >= 5]
  longest, denominator = (2, 2) if method == "published" else (k - 1, 1)
  for name in some:
    f = both[name]
    assert found[name][0] == pytest.approx(
        slow_pmi(name, both, longest, denominator) * math.log(f) / math.log(5 * f), abs=1e-9)
  single = npmi.make_table([path], **options)
  assert some and single.count.tolist() == [once[name] for name in names(k)]


def test_a_table_on_disk_is_read_without_pickle_and_by_the_maskings(tmp_path):
  sequence = random_sequence(6, 2_000)
  source, path = write_fasta(tmp_path / "a.fa", sequence), tmp_path / "t.npz"
  table = npmi.make_table([source], k=3, method="exact", min_count=20, show_progress=False)
  pmi_table.write_table(str(path), table)
  with np.load(path, allow_pickle=False) as file:
    arrays = dict(file)
  assert sorted(arrays) == ["count", "kmers", "provenance", "rank", "score"]
  assert arrays["kmers"].tolist() == names(3) and arrays["kmers"].dtype == np.dtype("U3")
  assert arrays["score"].dtype == np.float64 and (arrays["score"] == table.score).all()
  assert sorted(arrays["rank"].tolist()) == list(range(1, 65))
  assert arrays["count"].tolist() == [slow_counts(sequence, 3)[name] for name in names(3)]
  assert json.loads(str(arrays["provenance"])) == {
      "k": 3, "method": "exact", "min_count": 20, "discount": "count", "strands": "single",
      "num_bases": 2_000 - sequence.count("N"), "num_kmers": int(arrays["count"].sum()),
      "inputs": [{"name": "a.fa", "num_bytes": len(">r0\n\n") + 2_000}], "num_records": 1,
      "num_letters": 2_000, "num_unknown": sequence.count("N"),
      "created_by": table.provenance["created_by"]}
  vocab = vocabulary.Vocabulary(3)
  ranks = dict(zip(vocab.names(), pmi.load_ranks(path, vocab).tolist(), strict=True))
  assert [ranks[name] for name in names(3)] == arrays["rank"].tolist()
  assert pmi.read_provenance(path) == table.provenance


def write_published_csv(path, table, counts, change=lambda rows: rows):
  """A table in the layout of GeneMask's CSV."""
  plain = pmi_table.least_pmi(counts, 3, longest_piece=2, denominator=2)
  rows = [["ngram", "dp.true.pmi", "norm_dp_true_pmi", "ngram_size", "norm_pmi_rank_rel"]]
  order = np.argsort(table.rank)
  rows += [[table.kmers[i], f"{plain[i]:.12f}", f"{table.score[i]:.12f}", "3",
            f"{table.rank[i]}.0"] for i in order]
  rows.insert(5, ["AC", "0.1", "0.05", "2", "1"])             # another length
  path.write_text("".join(",".join(map(str, row)) + "\n" for row in change(rows)))
  return str(path)


@pytest.fixture
def published(tmp_path):
  """(path of a CSV in the published layout, what is in it)."""
  count = np.random.default_rng(0).integers(2_000, 900_000, 64)
  counts = ngrams.beginnings(count)
  table = pmi_table.make(counts, 3, method="published", min_count=101)
  return write_published_csv(tmp_path / "p.csv", table, counts), table


def test_counts_are_recovered_from_the_published_scores_and_give_them_again(published):
  path, table = published
  got = pmi_table.read_published_csv(path, k=3)
  assert got.kmers.tolist() == names(3) and got.count.tolist() == table.count.tolist()
  assert got.rank.tolist() == table.rank.tolist()
  difference, correlation = pmi_table.agreement(got, pmi_table.recompute(got))
  assert difference < 1e-6 and correlation == pytest.approx(1)


def test_agreement_is_the_largest_difference_and_spearmans_correlation():
  score = np.array([3., 1, 2, -np.inf])
  a = pmi_table.Table(None, score, pmi_table.rank(score), None, {})
  b = pmi_table.Table(None, score[[2, 1, 0, 3]] + .25, pmi_table.rank(score[[2, 1, 0, 3]]),
                      None, {})
  difference, correlation = pmi_table.agreement(a, b)
  assert difference == 1.25
  assert correlation == pytest.approx(1 - 6 * sum([1, 0, 1, 0]) / (4 * 15))


@pytest.mark.parametrize("change, message", [
    (lambda rows: [row[:2] + row[3:] for row in rows], "line 1: no column norm_dp_true_pmi"),
    (lambda rows: rows[:9] + rows[10:], "1 of 64 3-mers are missing"),
    (lambda rows: [*rows[:8], [*rows[8][:2], "x", *rows[8][3:]], *rows[9:]],
     "line 9: not numbers"),
    (lambda rows: [*rows[:8], rows[8][:2], *rows[9:]], "line 9: 2 cells")])
def test_a_damaged_csv_is_refused(tmp_path, published, change, message):
  _, table = published
  path = write_published_csv(tmp_path / "bad.csv", table, ngrams.beginnings(table.count), change)
  with pytest.raises(errors.UserError, match=message):
    pmi_table.read_published_csv(path, k=3)


def run_command(*flags):
  return subprocess.run([sys.executable, "-m", "data_pipelines.npmi", *flags],
                        capture_output=True, text=True, check=False)


def test_the_command_writes_a_table_and_shows_both_ends_of_it(tmp_path):
  paths = [write_fasta(tmp_path / f"{n}.fa", random_sequence(n, 3_000)) for n in (1, 2)]
  done = run_command(f"--input={','.join(paths)}", "--k=2", "--min_count=50",
                     f"--output={tmp_path}/t.npz", "--method=exact", "--strands=merged",
                     "--discount=none")
  assert done.returncode == 0, done.stderr
  with np.load(tmp_path / "t.npz", allow_pickle=False) as file:
    provenance, kmers, rank = json.loads(str(file["provenance"])), file["kmers"], file["rank"]
  assert (provenance["method"], provenance["strands"], provenance["discount"]) == (
      "exact", "merged", "none")
  assert [entry["name"] for entry in provenance["inputs"]] == ["1.fa", "2.fa"]
  highest = next(line for line in done.stdout.splitlines() if "highest" in line)
  assert highest.split()[1::2] == kmers[np.argsort(rank)][:8].tolist()
  assert f"{provenance['num_bases']:,} bases" in done.stdout and "peak memory" in done.stdout


def test_the_command_converts_and_tests_the_published_table(tmp_path, published):
  path, table = published
  done = run_command(f"--published_csv={path}", "--k=3", f"--output={tmp_path}/t.npz")
  assert done.returncode == 0, done.stderr
  assert "difference of the scores 0.0000, Spearman correlation of the ranks 1.0" in done.stdout
  ranks = pmi.load_ranks(tmp_path / "t.npz", vocabulary.Vocabulary(3))
  assert sorted(ranks.tolist())[-64:] == list(range(1, 65))


@pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="needs matplotlib")
@pytest.mark.parametrize("min_count, name", [(1, "p.png"), (40, "p.svg")])
def test_a_plot_is_drawn_on_request(tmp_path, min_count, name):
  path = write_fasta(tmp_path / "a.fa", random_sequence(1, 3_000))
  done = run_command(f"--input={path}", "--k=3", f"--min_count={min_count}",
                     f"--output={tmp_path}/t.npz", f"--plot={tmp_path}/{name}")
  assert done.returncode == 0, done.stderr
  start = (tmp_path / name).read_bytes()[:8]
  assert start == b"\x89PNG\r\n\x1a\n" if name == "p.png" else start.startswith(b"<?xml")
  assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["a.fa", name, "t.npz"])


@pytest.mark.parametrize("flags, message", [
    ([], "--output=TABLE.npz"),
    (["--input={f}"], "--output=TABLE.npz"),
    (["--output={d}/t.npz"], "--input=GENOME"),
    (["--input={f}", "--published_csv={f}", "--output={d}/t.npz"], "either --input"),
    (["--input={d}/none.fa", "--output={d}/t.npz"], "no file"),
    (["--input={f}", "--output={d}/none/t.npz"], "--output=.*folder that exists"),
    (["--input={f}", "--output={d}"], "--output=.*folder that exists"),
    (["--input={f}", "--output={d}/t.npz", "--plot={d}/none/p.png"], "--plot=.*folder"),
    (["--input={f}", "--output={d}/t.npz", "--plot={d}/p.gif"], "name a .png"),
    (["--input={f}", "--output={d}/t.npz", "--k=11"], "k"),
    (["--input={f}", "--output={d}/t.npz", "--k=1"], "k"),
    (["--input={f}", "--output={d}/t.npz", "--k=6"], "No 6-mer .* occurs 101 times"),
    (["--input={f}", "--output={d}/t.npz", "--method=best"], "method"),
    (["--input", "{f}", "{f}", "--output={d}/t.npz"], "several files: --input=a.fa,b.fa"),
    (["--published_csv={f}", "--output={d}/t.npz", "--method=exact"], "--method belongs to"),
    (["--published_csv={f}", "--output={d}/t.npz"], "no column ngram")])
def test_a_wrong_command_line_is_one_line_and_exit_code_2(tmp_path, flags, message):
  source = write_fasta(tmp_path / "a.fa", "ACGTACGTAC")
  done = run_command(*(flag.format(f=source, d=tmp_path) for flag in flags))
  assert done.returncode == 2, done.stderr
  assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
  assert re.search(message, done.stderr), done.stderr
  assert [path.name for path in tmp_path.iterdir()] == ["a.fa"]
