"""On Apache Beam the same records and counts come out as without."""

import importlib.util
import os
import pathlib
import shutil
import sys

import labelled_runs
import numpy as np
import pytest

from data_pipelines import ngrams, prepare, windows
from dnajax.shell import errors
from tests import tiny

needs_beam = pytest.mark.skipif(not importlib.util.find_spec("apache_beam"),
                                reason="needs the extra beam")
OPTIONS = ["--runner=DirectRunner"]


def tables(folder):
  rng = np.random.default_rng(0)
  paths = []
  for number in range(3):
    rows = [f"p{number}_{i}\t{['train', 'valid', ''][(i + number) % 3]}\t"
            f"{''.join(rng.choice(list('ACGTN'), 8 + i % 3))}\tG{i % 5}\tG{i % 5} s{i % 7}\n"
            for i in range(50)] + [f"x\ttrain\tACGTACGT\tGx{number}\t\n"] * 2
    path = folder / f"{number}.tsv"
    path.write_text("processid\tsplit\tnucleotides\tgenus\tspecies\n" + "".join(rows))
    paths.append(str(path))
  return paths


def fastas(folder):
  """Three files; a contig of only N and one too short for a window are among them."""
  rng = np.random.default_rng(2)
  paths = []
  for number, lengths in enumerate([(900, 7), (400, 3), (700,)]):
    path = folder / f"{number}.fa"
    path.write_text("".join(
        f">c{number}_{length}\n{''.join(rng.choice(list('ACGTacgN'), length))}\n"
        for length in lengths) + (">n\nNNNN\n" if number == 1 else ""))
    paths.append(str(path))
  return paths


def splits(folder):
  """SPLIT=FILE of a task: 12 training rows a class, some also in dev; cells without label."""
  rng = np.random.default_rng(3)
  rows = {split: [("".join(rng.choice(list("ACGT"), 9)), str(i % 2)) for i in range(24)]
          for split in ("train", "dev", "test")}
  rows["dev"] += rows["train"][:5]
  rows["test"] += [("ACGTACGTA", "")]
  return [f"{split}={labelled_runs.write_rows(folder / f'{split}.csv', table)}"
          for split, table in rows.items()]


SMALL = dict(name="g", cuts=windows.Cuts(length=40, start_offset=30), block_length=100,
             valid_share=.3)
KINDS = {
    "barcodes": (tables, prepare.prepare_barcodes, {}),
    "barcodes, options": (tables, prepare.prepare_barcodes,
                          {"deduplicate": True, "hold_out": 0.3}),
    "genome": (fastas, prepare.prepare_genome, SMALL),
    "genome by contigs": (fastas, prepare.prepare_genome, dict(
        SMALL, split_by="contig", valid_contigs=("c1_400",))),
    "labelled": (splits, prepare.prepare_labelled, {}),
    "labelled, options": (splits, prepare.prepare_labelled, {
        "num_sets": 3, "exclude_overlap": "test"})}


@needs_beam
@pytest.mark.parametrize("kind", KINDS)
def test_a_data_set_is_the_same_to_the_byte(tmp_path, kind):
  make, call, options = KINDS[kind]
  paths = make(tmp_path)
  plain, expected = call(paths, str(tmp_path / "plain"), show_progress=False, **options)
  on_beam = dict(options, beam_dir=str(tmp_path / "parts"), beam_options=OPTIONS)
  found, summary = call(paths, str(tmp_path / "beam"), show_progress=False, **on_beam)
  assert summary == expected
  for path in pathlib.Path(plain).rglob("*.array_record*"):
    assert path.read_bytes() == (pathlib.Path(found) / path.relative_to(plain)).read_bytes()
  # Complete parts are not made again; one that is missing is.
  made = sorted((tmp_path / "parts").iterdir())
  assert len(made) == 3
  times = [path.stat().st_mtime_ns for path in made]
  shutil.rmtree(made[1])
  _, again = call(paths, str(tmp_path / "beam"), overwrite=True, show_progress=False, **on_beam)
  assert again == expected
  assert [path.stat().st_mtime_ns == time
          for path, time in zip(made, times, strict=True)] == [True, False, True]


def on_beam(call, paths, tmp_path, **options):
  return call(paths, str(tmp_path / "beam"), show_progress=False, overwrite=True,
              **{"beam_dir": str(tmp_path / "parts"), "beam_options": OPTIONS, **options})


@needs_beam
@pytest.mark.parametrize("kind, name, text, message", [
    ("barcodes", "1.tsv", "processid\tnucleotides\na\tACGTZZ\n", "1.tsv, line 2"),
    ("genome", "1.fa", ">a\nACGTEFI\n", "1.fa, line 2"),
    ("genome", "2.fa", ">x\nACGT\n>c0_900\nACGTACGTA\n",
     "2.fa, line 3: a contig 'c0_900' was there before .*0.fa, line 1"),
    ("genome by contigs", "1.fa", ">a\nACGTACGTACGT\n", "no contig c1_400"),
    ("labelled", "dev.csv", "sequence,label\nACGT,0\nAC!T,0\n", "dev.csv, line 3")])
def test_a_wrong_file_is_named_and_leaves_no_data_set(tmp_path, kind, name, text, message):
  make, call, options = KINDS[kind]
  paths = make(tmp_path)
  (tmp_path / name).write_text(text)
  with pytest.raises(errors.UserError, match=message):
    on_beam(call, paths, tmp_path, **options)
  assert not list((tmp_path / "beam").glob("*/*/*"))


@needs_beam
def test_files_that_differ_in_their_folder_only_are_two(tmp_path):
  paths = []
  for number, letter in enumerate("AC"):
    path = tmp_path / str(number) / "x.csv"
    labelled_runs.write_rows(path, [(letter * 9, "0"), (letter * 8, "1")])
    os.utime(path, ns=(1, 1))            # as out of an archive
    paths.append(f"train={path}")
  _, summary = on_beam(prepare.prepare_labelled, paths, tmp_path)
  assert summary["splits"]["train"]["num_distinct"] == 4


@needs_beam
def test_a_part_is_made_again_when_what_it_leaves_out_has_changed(tmp_path):
  paths, other = tables(tmp_path), tmp_path / "other.tsv"
  for ids in (["p0_1"], ["p0_1", "p1_2"]):
    other.write_text("processid\tnucleotides\n" + "".join(f"{x}\tTTTTTTTTT\n" for x in ids))
    _, summary = on_beam(prepare.prepare_barcodes, paths, tmp_path, exclude=[str(other)])
    assert summary["dropped"]["excluded_by_id"] == len(ids)


@needs_beam
@pytest.mark.parametrize("options, message", [
    (dict(beam_options=["--runner=Fast"]), "Beam refuses --beam_options=--runner=Fast"),
    (dict(beam_options=["--runner"]), "--beam_options=--runner: a value is missing"),
    (dict(beam_dir="gs://bucket/parts"), "--beam_dir=gs://bucket/parts: give a folder")])
def test_what_beam_cannot_use_is_refused(tmp_path, options, message):
  with pytest.raises(errors.UserError, match=message):
    on_beam(prepare.prepare_barcodes, tables(tmp_path), tmp_path, **options)


def test_where_there_is_no_beam_it_is_said(tmp_path, monkeypatch):
  monkeypatch.setitem(sys.modules, "apache_beam.options", None)
  with pytest.raises(errors.UserError, match=r"pip install 'dnajax\[beam\]'"):
    on_beam(prepare.prepare_barcodes, tables(tmp_path), tmp_path)


def test_options_of_beam_without_its_folder_are_refused():
  code, _, err = tiny.call("data_pipelines.prepare", "--dataset=genome", "--data_dir=x",
                           "--input=x.fa", "--beam_options=--runner=DirectRunner")
  assert code == 2 and err.count("\n") == 1 and "--beam_options needs --beam_dir" in err


@needs_beam
def test_counts_are_the_same(tmp_path):
  rng = np.random.default_rng(1)
  paths = []
  for number in range(3):
    path = tmp_path / f"{number}.fa"
    path.write_text("".join(f">{number}_{i}\n{''.join(rng.choice(list('ACGTN'), 300))}\n"
                            for i in range(4)))
    paths.append(str(path))
  expected = ngrams.count(paths, show_progress=False)
  from data_pipelines.beam import counting
  found = counting.count(paths, OPTIONS)
  assert (found.num_records, found.num_letters, found.num_unknown) == (
      expected.num_records, expected.num_letters, expected.num_unknown)
  for n, table in expected.of.items():
    np.testing.assert_array_equal(found.of[n], table)
  pathlib.Path(paths[2]).write_text(">a\nACGTEFI\n")
  with pytest.raises(errors.UserError, match="2.fa, line 2"):
    counting.count(paths, OPTIONS)
