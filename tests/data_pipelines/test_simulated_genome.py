"""The generated genome: says what it planted, and is the same from equal settings."""

import gzip
import json

import genome_runs
import numpy as np
import pytest

from data_pipelines import fasta, npmi, prepare
from data_pipelines.simulated_genome import settings, simulate
from dnajax.data import records
from dnajax.shell import errors

SMALL = dict(contigs=3, contig_length=8_000, motifs=4, copies=30, repeats=6, n_runs=2,
             longest_n_run=90)
COMPLEMENT = str.maketrans("ACGT", "TGCA")


def generate(folder, **changes):
  """({contig: letters}, rows of motifs.tsv as dicts)."""
  folder.mkdir(exist_ok=True)
  chosen = settings.Settings(**{**SMALL, **changes})
  simulate.write(chosen, folder / "g.fa.gz", folder / "m.tsv")
  header, *rows = [line.split("\t") for line in (folder / "m.tsv").read_text().splitlines()]
  contigs = {name.split()[0]: letters for _, name, letters in
             fasta.read_fasta(str(folder / "g.fa.gz"))}
  return contigs, [dict(zip(header, row, strict=True)) for row in rows]


def other_strand(text):
  return text.translate(COMPLEMENT)[::-1]


def test_equal_settings_give_equal_bytes_and_other_seeds_others(tmp_path):
  for name, seed in (("a", 0), ("b", 0), ("c", 1)):
    generate(tmp_path / name, seed=seed)
  for file in ("g.fa.gz", "m.tsv"):
    a, b, c = ((tmp_path / name / file).read_bytes() for name in "abc")
    assert a == b and a != c
  assert (tmp_path / "a/g.fa.gz").read_bytes()[3:8] == bytes(5)    # no time, no name


def test_the_list_of_motifs_says_what_stands_in_the_genome(tmp_path):
  contigs, rows = generate(tmp_path, motif_error=.1)
  assert len(rows) == 4 * 30 and list(contigs) == ["sim1", "sim2", "sim3"]
  motifs = {row["motif"] for row in rows}
  assert len(motifs) == 4 and {len(motif) for motif in motifs} == {10}
  taken = {name: np.zeros(len(text), int) for name, text in contigs.items()}
  differing = strands = 0
  for row in rows:
    start, end = int(row["start"]), int(row["end"])
    here = contigs[row["contig"]][start:end]
    assert here == row["letters"] == here.upper() and "N" not in here and end - start == 10
    taken[row["contig"]][start:end] += 1
    motif = other_strand(row["motif"]) if row["strand"] == "-" else row["motif"]
    differing += sum(a != b for a, b in zip(here, motif, strict=True))
    strands += row["strand"] == "-"
  assert max(x.max() for x in taken.values()) == 1             # none on another
  assert differing / 1_200 == pytest.approx(.1, abs=.03) and 40 < strands < 80
  for name in contigs:
    starts = [int(row["start"]) for row in rows if row["contig"] == name]
    assert starts == sorted(starts) and len(starts) == 40


def test_a_motif_without_errors_is_copied_letter_by_letter(tmp_path):
  _, rows = generate(tmp_path, motif_error=0)
  assert all(row["letters"] == (other_strand(row["motif"]) if row["strand"] == "-"
                                else row["motif"]) for row in rows)


def test_repeats_are_lower_case_and_alike_and_n_comes_in_runs(tmp_path):
  contigs, _ = generate(tmp_path, repeat_divergence=.1, contigs=1, copies=5, n_runs=3)
  text = contigs["sim1"]
  runs = "".join(x if x.islower() else " " for x in text).split()
  copies = [run[i:i + 300].upper() for run in runs for i in range(0, len(run), 300)]
  assert len(copies) == 6 and {len(copy) for copy in copies} == {300}

  def alike(a, b):
    return np.mean([x == y for x, y in zip(a, b, strict=True)])
  first = copies[0]
  for copy in copies[1:]:                # two copies differ in .1 + .1 - .1 * .1 * 4 / 3
    assert max(alike(first, copy), alike(first, other_strand(copy))) == pytest.approx(
        .81, abs=.07)
  n_runs = "".join(x if x == "N" else " " for x in text).split()
  assert 1 <= len(n_runs) <= 3 and max(map(len, n_runs)) <= 3 * 90


def test_the_background_is_the_chain_it_was_drawn_from():
  rng = np.random.default_rng(0)
  table = simulate.chain(rng, settings.Settings())
  np.testing.assert_allclose(table.sum(1), 1)
  codes = simulate.walk(rng, table, 200_000)
  words = ((codes[:-3] * 4 + codes[1:-2]) * 4 + codes[2:-1]) * 4 + codes[3:]
  count = np.bincount(words, minlength=256).reshape(64, 4)
  num = count.sum(1, keepdims=True)
  deviations = np.sqrt(table * (1 - table) / num) + 1 / 4096     # levels of the chain
  assert (np.abs(count / num - table) < 5 * deviations).all()
  share = np.bincount(codes, minlength=4) / len(codes)
  assert share[1] + share[2] == pytest.approx(.41, abs=.04)    # gc_share
  pairs = np.bincount(codes[:-1] * 4 + codes[1:], minlength=16) / (len(codes) - 1)
  assert pairs[1 * 4 + 2] / (share[1] * share[2]) == pytest.approx(.25, abs=.1)    # CpG


def test_places_do_not_overlap_whatever_is_left_between_them():
  rng = np.random.default_rng(0)
  for total in (60, 61, 100):
    lengths = rng.permutation([10, 10, 5, 20, 1, 14])          # 60 together
    starts = simulate._places(rng, total, lengths)
    taken = np.zeros(total, int)
    for start, length in zip(starts, lengths, strict=True):
      assert start + length <= total
      taken[start:start + length] += 1
    assert taken.max() == 1 and taken.sum() == 60


def test_letters_of_motifs_are_enriched_as_the_settings_say(tmp_path):
  path, motifs_path = tmp_path / "g.fa.gz", tmp_path / "m.tsv"
  chosen = settings.Settings(contigs=2, contig_length=120_000, copies=60, repeats=24, n_runs=1)
  simulate.write(chosen, path, motifs_path)
  motifs = {line.split("\t")[4] for line in motifs_path.read_text().splitlines()[1:]}
  planted = {text[i:i + 6] for motif in motifs for text in (motif, other_strand(motif))
             for i in range(5)}
  table = npmi.make_table([str(path)], k=6, method="exact", min_count=5, show_progress=False)
  is_planted = np.isin(table.kmers, sorted(planted))
  assert is_planted.sum() > 100
  # 60 copies on two strands, of which (1 - .05)**6 keep all six letters.
  assert np.median(table.count[is_planted]) - np.median(table.count[~is_planted]) == (
      pytest.approx(30 * .95 ** 6, rel=.35))
  best = np.argsort(table.rank)[:200]
  assert is_planted[best].mean() > 8 * is_planted.mean()


@pytest.mark.slow
def test_the_data_set_has_its_fasta_beside_it(tmp_path):
  directory, summary = prepare.prepare_generated(
      "simulated_genome", str(tmp_path / "data"), show_progress=False, block_length=500, **SMALL)
  assert directory == tmp_path / "data/simulated_genome/1.0.0"
  simulate.write(settings.Settings(**SMALL, block_length=500), tmp_path / "g.fa.gz",
                 tmp_path / "m.tsv")
  for name, expected in (("genome.fa.gz", "g.fa.gz"), ("motifs.tsv", "m.tsv")):
    assert (directory / name).read_bytes() == (tmp_path / expected).read_bytes()
  text = gzip.decompress((directory / "genome.fa.gz").read_bytes()).decode()
  contigs = {part.split()[0]: "".join(part.split("\n")[1:]).upper()
             for part in text.split(">")[1:]}
  assert summary["options"]["copies"] == 30 and summary["num_labels"] == {"contig": 3}
  assert summary["num_read"] == 3 and sorted(summary["splits"]) == ["pretrain", "valid"]
  num_bases = sum(split["num_bases"] for split in summary["splits"].values())
  dropped = {key: n for key, n in summary["dropped"].items() if key.startswith("bases_")}
  assert num_bases + sum(dropped.values()) == 24_000
  assert dropped["bases_n"] == sum(x.count("N") for x in contigs.values())
  split = records.open_split(directory, "valid")
  codes = split.bases(np.arange(3), 261)
  for row in codes:
    window = "".join("ACGT"[code] for code in row if code < 4)
    assert any(window in contig for contig in contigs.values())


def test_equal_settings_give_an_equal_fingerprint(tmp_path):
  prints = [prepare.prepare_generated("simulated_genome", str(tmp_path / name),
                                      show_progress=False, seed=seed, block_length=500,
                                      **SMALL)[1]["fingerprint"]
            for name, seed in (("a", 0), ("b", 0), ("c", 1))]
  assert prints[0] == prints[1] != prints[2]


@pytest.mark.parametrize("changes, message", [
    (dict(contigs=0), "contigs=0"), (dict(copies=-1), "copies=-1"),
    (dict(gc_share=2), "gc_share=2"), (dict(contig_length=9_999, copies=400), "would fill"),
    (dict(motif_error=-.1), "motif_error=-0.1")])
def test_senseless_settings_are_refused(tmp_path, changes, message):
  with pytest.raises(errors.UserError, match=message):
    prepare.prepare_generated("simulated_genome", str(tmp_path / "d"), **{**SMALL, **changes})
  assert not (tmp_path / "d").exists()


def test_the_fullest_settings_that_are_allowed_fit(tmp_path):
  contigs, rows = generate(tmp_path, contigs=7, contig_length=1_000, motifs=1, copies=7 * 3 + 1,
                           repeats=1, longest_n_run=80)
  assert {len(text) for text in contigs.values()} == {1_000} and len(rows) == 22


def test_an_unknown_name_is_refused_with_those_there_are(tmp_path):
  with pytest.raises(errors.UserError, match="simulated_barcodes, simulated_genome"):
    prepare.prepare_generated("genome", str(tmp_path))


def test_the_command_takes_settings_and_refuses_unknown_ones(tmp_path):
  pairs = ",".join(f"{key}={value}" for key, value in SMALL.items())
  done = genome_runs.run("data_pipelines.prepare", "--dataset=simulated_genome",
                         f"--data_dir={tmp_path}/d", f"--simulate={pairs},block_length=500")
  assert done.returncode == 0, done.stderr
  assert "3 contigs read, " in done.stdout
  summary = json.loads(
      (tmp_path / "d/simulated_genome/1.0.0/dataset_summary.json").read_text())
  assert {key: summary["options"][key] for key in SMALL} == SMALL
  wrong = genome_runs.run("data_pipelines.prepare", "--dataset=simulated_genome",
                          f"--data_dir={tmp_path}/e", "--simulate=genera=3")
  assert wrong.returncode == 2 and "unknown setting 'genera'" in wrong.stderr
