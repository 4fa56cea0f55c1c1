"""On Apache Beam the same records and counts come out as without."""

import pathlib

import numpy as np
import pytest

from data_pipelines import ngrams, prepare
from dnajax.shell import errors

pytest.importorskip("apache_beam", reason="needs the extra beam")
from data_pipelines.beam import counting  # noqa: E402

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


@pytest.mark.parametrize("options", [{}, {"deduplicate": True, "hold_out": 0.3}])
def test_a_data_set_is_the_same_to_the_byte(tmp_path, monkeypatch, options):
  paths = tables(tmp_path)
  plain, expected = prepare.prepare_barcodes(
      paths, str(tmp_path / "plain"), show_progress=False, **options)
  on_beam = dict(options, beam_dir=str(tmp_path / "parts"), beam_options=OPTIONS)
  found, summary = prepare.prepare_barcodes(
      paths, str(tmp_path / "beam"), show_progress=False, **on_beam)
  assert summary == expected
  for path in pathlib.Path(plain).rglob("*.array_record*"):
    assert path.read_bytes() == (pathlib.Path(found) / path.relative_to(plain)).read_bytes()
  # Complete parts are not made again; one that is missing is.
  made = sorted((tmp_path / "parts").iterdir())
  assert len(made) == 3
  times = [path.stat().st_mtime_ns for path in made]
  (made[1] / "records.arrow").unlink()
  (made[1] / "source.json").unlink()
  made[1].rmdir()
  _, again = prepare.prepare_barcodes(
      paths, str(tmp_path / "beam"), overwrite=True, show_progress=False, **on_beam)
  assert again == expected
  assert [path.stat().st_mtime_ns == time
          for path, time in zip(made, times, strict=True)] == [True, False, True]


def test_a_wrong_file_is_named_and_leaves_no_data_set(tmp_path):
  paths = tables(tmp_path)
  pathlib.Path(paths[1]).write_text("processid\tnucleotides\na\tACGTZZ\n")
  with pytest.raises(errors.UserError, match="1.tsv, line 2"):
    prepare.prepare_barcodes(paths, str(tmp_path / "beam"), show_progress=False,
                             beam_dir=str(tmp_path / "parts"), beam_options=OPTIONS)
  assert not (tmp_path / "beam").exists()


def test_counts_are_the_same(tmp_path):
  rng = np.random.default_rng(1)
  paths = []
  for number in range(3):
    path = tmp_path / f"{number}.fa"
    path.write_text("".join(f">{number}_{i}\n{''.join(rng.choice(list('ACGTN'), 300))}\n"
                            for i in range(4)))
    paths.append(str(path))
  expected = ngrams.count(paths, show_progress=False)
  found = counting.count(paths, OPTIONS)
  assert (found.num_records, found.num_letters, found.num_unknown) == (
      expected.num_records, expected.num_letters, expected.num_unknown)
  for n, table in expected.of.items():
    np.testing.assert_array_equal(found.of[n], table)
  pathlib.Path(paths[2]).write_text(">a\nACGTEFI\n")
  with pytest.raises(errors.UserError, match="2.fa, line 2"):
    counting.count(paths, OPTIONS)
