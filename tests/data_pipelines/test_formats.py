"""One table of formats: sniffing, suffixes, names; a new one is a line."""

import pytest

from data_pipelines import formats, sequences
from data_pipelines.labelled import presets as labelled_presets
from dnajax.shell import errors


@pytest.mark.parametrize("name, stem, is_table", [
    ("coi.tsv.gz", "coi", True), ("coi.v2.fa.xz", "coi.v2", False), ("a.parquet", "a", True),
    ("A.CSV", "A", True), ("a.fq.bz2", "a", False), ("plain", "plain", False),
    ("a.npz", "a.npz", False), (".gz", "", False)])
def test_names_lose_the_endings_of_formats_and_compressions(name, stem, is_table):
  assert formats.stem(name) == stem and formats.is_table_name(name) == is_table


def test_formats_are_named_where_one_is_asked_for(tmp_path):
  assert formats.in_words() == "FASTA, FASTQ, Parquet, TSV or CSV"
  path = tmp_path / "a.fa"
  path.write_text(">a\nACGT\n")
  with pytest.raises(errors.UserError, match="is FASTA and has no columns.*Parquet, TSV or CSV"):
    list(formats.read_rows(str(path), lambda names: names))


def read_pairs(path, choose=None):
  """id=SEQUENCE on each line, below a line "%pairs"."""
  for number, line in enumerate(open(path), 1):
    name, _, letters = line.strip().partition("=")
    if letters:
      yield number, name, letters


def read_columns(path, choose, max_record_bp):
  """Cells between bars, below a line "%bars" and the names."""
  lines = open(path).read().splitlines()[1:]
  names = lines[0].split("|")
  wanted = choose(names)
  for number, line in enumerate(lines[1:], 3):
    cells = dict(zip(names, line.split("|"), strict=True))
    yield number, [cells[name] for name in wanted]


@pytest.fixture
def toys(monkeypatch):
  monkeypatch.setattr(formats, "FORMATS", (
      *formats.FORMATS,
      formats.Format("pairs", ("pairs",), (b"%pairs",), headers=read_pairs),
      formats.Format("bars", ("bars",), (b"%bars",), rows=read_columns)))


def test_a_new_format_is_a_function_and_a_line(toys, tmp_path):
  (tmp_path / "a.pairs").write_text("%pairs\nx=ACGT\ny=GG\n")
  (tmp_path / "train.bars").write_text("%bars\nid|sequence|label\nx|ACGT|1\ny|GG|0\n")
  for name in ("a.pairs", "train.bars"):
    found = sequences.read(str(tmp_path / name))
    assert [(one.id, one.sequence) for one in found] == [("x", "ACGT"), ("y", "GG")]
  assert labelled_presets.folder_files(tmp_path)[0][1].endswith("train.bars")
  assert formats.stem("a.pairs.gz") == "a" and "pairs" in formats.in_words()
