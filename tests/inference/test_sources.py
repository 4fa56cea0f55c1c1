"""Names of files, patterns, the standard input; names of ranks that come along."""

import io
import sys
import types

import pytest

from dnajax.inference import sources
from dnajax.shell import errors

TABLE = "processid\tnucleotides\tgenus\tspecies\tsplit\nA1\tACGT\tApis\tNone\ttrain\n"


def read(names, **options):
  with sources.opened([str(name) for name in names], **options) as source:
    return source.columns, list(source.records())


@pytest.fixture
def folder(tmp_path):
  (tmp_path / "b.tsv").write_text(TABLE)
  (tmp_path / "a2.fa").write_text(">x2\nAC\n")
  (tmp_path / "a1.fa").write_text(">x1\nGG\n>y1\nTT\n")
  return tmp_path


def test_patterns_are_sorted_names_keep_their_order_and_each_is_read_once(folder):
  columns, records = read([folder / "b.tsv", folder / "a*.fa", folder / "a1.fa"])
  assert columns == ("genus", "species")
  none = {"genus": "", "species": ""}
  assert records == [("A1", "ACGT", {"genus": "Apis", "species": ""}), ("x1", "GG", none),
                     ("y1", "TT", none), ("x2", "AC", none)]
  assert read([folder / "b.tsv"], has_taxonomy=False) == ((), [("A1", "ACGT", {})])
  (folder / "c[1].fa").write_text(">c\nA\n")      # a file may be called like a pattern
  assert [name for name, *_ in read([folder / "c[1].fa"])[1]] == ["c"]


@pytest.mark.parametrize("names, message", [
    (["*.nothing"], "no file has such a name"), (["-", "a1.fa"], "stands alone"),
    (["a1.fa", "missing.fa"], "There is no file")])
def test_what_is_not_there_is_said(folder, monkeypatch, names, message):
  monkeypatch.chdir(folder)
  with pytest.raises(errors.UserError, match=message):
    read(names)


def test_what_another_command_writes_is_read_whatever_it_is(monkeypatch):
  stdin = types.SimpleNamespace(buffer=io.BytesIO(TABLE.encode()), isatty=lambda: False)
  monkeypatch.setattr(sys, "stdin", stdin)
  columns, records = read(["-"])
  assert columns == ("genus", "species") and records[0][:2] == ("A1", "ACGT")
  stdin.isatty = lambda: True
  with pytest.raises(errors.UserError, match="what another command writes"):
    read(["-"])


def test_a_survey_counts_and_knows_another_input(folder):
  found = []
  for names in (["a1.fa"], ["a1.fa", "a2.fa"], ["a2.fa", "a1.fa"], ["a1.fa"]):
    with sources.opened([str(folder / name) for name in names]) as source:
      found.append(source.survey())
  assert [number for number, _ in found] == [2, 3, 3, 2]
  assert found[0] == found[3] and len({digest for _, digest in found}) == 3
