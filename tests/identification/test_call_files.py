"""What a spreadsheet, SINTAX's readers and BLAST's readers get to see."""

import pytest

from dnajax.identification import call_files, identifier
from dnajax.shell import errors, failures
from tests.faults import limits

CALL = identifier.Call(
    query="q 1", names={"family": "Apidae", "genus": "Apis", "species": "Apis mellifera"},
    probabilities={"family": .99, "genus": .9, "species": .2},
    is_called={"family": True, "genus": True, "species": False},
    hits=[("r1", .97, .95, 600), ("r2", .9, .9, 500)], length=620, is_reversed=True)
NOTHING = identifier.Call("q2", {"family": "", "genus": "", "species": ""},
                          {"family": 0., "genus": 0., "species": 0.},
                          dict.fromkeys(("family", "genus", "species"), False), [], 3)


def test_a_full_disk_is_told_with_the_place_and_leaves_nothing(tmp_path):
  with limits.file_size(1_000), pytest.raises(OSError) as told, (
      call_files.open_file(tmp_path / "calls.tsv", "tsv", tuple(CALL.names))) as write:
    for _ in range(1_000):
      write(CALL)
  assert str(tmp_path / "calls.tsv") in failures.explain(told.value)
  assert not list(tmp_path.iterdir())


def written(tmp_path, kind, **options):
  path = tmp_path / "calls"
  with call_files.open_file(path, kind, ("family", "genus", "species"), **options) as write:
    write(CALL)
    write(NOTHING)
  return [line.split("\t") for line in path.read_text().splitlines()]


def test_table_has_a_name_where_it_is_called_and_every_probability(tmp_path):
  header, first, second = written(tmp_path, "tsv")
  row = dict(zip(header, first, strict=True))
  assert row == {"query": "q 1", "family": "Apidae", "family_probability": "0.990",
                 "genus": "Apis", "genus_probability": "0.900", "species": "",
                 "species_probability": "0.200", "best_reference": "r1", "similarity": "0.970",
                 "identity": "0.9500", "strand": "-"}
  assert second == ["q2", *[""] * 9, "+"]


def test_sintax_lines_have_all_names_then_those_that_are_called(tmp_path):
  first, second = written(tmp_path, "sintax")
  assert first == ["q 1", "f:Apidae(0.99),g:Apis(0.90),s:Apis_mellifera(0.20)", "-",
                   "f:Apidae,g:Apis"]
  assert second == ["q2", "", "+", ""]


def test_blast_lines_are_twelve_columns_best_first(tmp_path):
  rows = written(tmp_path, "blast6")
  assert [row[1] for row in rows] == ["r1", "r2"] and all(len(row) == 12 for row in rows)
  assert rows[0][2:6] == ["95.0", "600", "30", "0"] and rows[0][6:8] == ["620", "1"]
  assert [row[1] for row in written(tmp_path, "blast6", num_hits=1)] == ["r1"]


def test_a_file_appears_whole_or_not_at_all(tmp_path):
  path = tmp_path / "calls.tsv"
  with pytest.raises(ZeroDivisionError), call_files.open_file(path, "tsv", ("genus",)):
    1 / 0  # noqa: B018
  assert list(tmp_path.iterdir()) == []
  path.write_text("mine")
  with pytest.raises(errors.UserError, match="--overwrite"):
    call_files.check(path, overwrite=False)
  assert call_files.check(path, overwrite=True).read_text() == "mine"
