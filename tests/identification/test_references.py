"""Libraries as they are: duplicates, contradictions, missing ranks, several formats."""

import numpy as np
import pytest

from dnajax.identification import references
from dnajax.shell import errors

A, B = "ACGTTGCA" * 10, "TTGACCAG" * 10


def test_same_rows_are_one_and_missing_names_are_none():
  found = references.collect([
      ("a", A, {"genus": "Apis", "species": "Apis mellifera"}),
      ("b", A.lower(), {"genus": "Apis", "species": "Apis mellifera"}),
      ("c", B, {"genus": "Apis", "species": ""})])
  assert found.ids == ["a", "c"] and found.ranks == ("genus", "species")
  np.testing.assert_array_equal(found.names["species"], [0, -1])
  assert [kind for kind, _ in found.problems] == ["duplicate"]
  assert found.name("species", 0) == "Apis mellifera" and found.name("species", -1) == ""


def test_contradictions_are_listed_and_kept():
  found = references.collect([
      ("a", A, {"family": "Apidae", "genus": "Apis"}),
      ("b", A, {"family": "Apidae", "genus": "Bombus"}),
      ("c", B, {"family": "Vespidae", "genus": "Apis"})])
  assert len(found.ids) == 3
  text = dict(found.problems)
  assert text["one sequence, several names"] == "a, b: genus Apis / Bombus"
  assert text["one name below several"] == "genus Apis: family Apidae / Vespidae"


def test_rows_without_names_or_letters_are_left_out_and_said():
  found = references.collect([("a", A, {"genus": "Apis"}), ("b", B, {}),
                              ("c", "ACGT", {"genus": "Apis"})])
  assert found.ids == ["a"] and found.num_read == 3
  assert {kind for kind, _ in found.problems} == {"too short", "no name"}
  assert any("3 rows" in line for line in references.in_words(found))


def test_a_library_without_names_is_refused_with_what_to_do(tmp_path):
  path = tmp_path / "x.fasta"
  path.write_text(f">a some words\n{A}\n")
  with pytest.raises(errors.UserError, match="--header_pattern"):
    references.read(str(path))


def test_tables_sintax_headers_and_patterns_give_the_same(tmp_path):
  table, sintax, pattern = (tmp_path / name for name in ("t.tsv", "s.fasta", "p.fasta"))
  table.write_text(f"processid\tnucleotides\tfamily_name\tgenus_name\nx1\t{A}\tApidae\tApis\n")
  sintax.write_text(f">x1;tax=f:Apidae,g:Apis;\n{A}\n")
  pattern.write_text(f">x1 Apidae|Apis\n{A}\n")
  found = [references.read(str(table)), references.read(str(sintax)),
           references.read(str(pattern),
                           header_pattern=r"(?P<id>\S+) (?P<family>\w+)\|(?P<genus>\w+)")]
  assert len({one.fingerprint() for one in found}) == 1
  assert found[0].ids == ["x1"] and found[0].vocabularies["genus"] == ["Apis"]


def test_fingerprint_depends_on_every_name_and_letter():
  rows = [("a", A, {"genus": "Apis"}), ("b", B, {"genus": "Bombus"})]
  same = references.collect(rows).fingerprint()
  assert same == references.collect(list(rows)).fingerprint()
  for change in (("b", B, {"genus": "Osmia"}), ("b", B + "A", {"genus": "Bombus"}),
                 ("z", B, {"genus": "Bombus"})):
    assert references.collect([rows[0], change]).fingerprint() != same
