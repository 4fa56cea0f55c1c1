"""Species held out of a table, and rows of BINs left out of it."""

from data_pipelines.barcodes import ingest
from dnajax.data import records


def species_of(directory, split):
  one = records.open_split(directory, split)
  names = [*one.vocabulary("species"), ""]
  return {names[number] for number in one.labels("species")}


def test_held_out_species_are_wholly_unseen_whatever_else_is_in_the_file(tmp_path):
  rows = [(f"P{i}", "ACGTACGTAA", "Apis", f"Apis s{i % 20}") for i in range(200)]
  rows.append(("P200", "ACGTACGTAA", "Apis", ""))
  table = tmp_path / "rows.csv"
  table.write_text("processid,nucleotides,genus,species\n" + "".join(
      ",".join(row) + "\n" for row in rows))
  directory, summary = ingest.prepare([str(table)], tmp_path / "data", hold_out=.3,
                                      show_progress=False)
  assert set(summary["splits"]) == {"train", "unseen"}
  train, unseen = (species_of(directory, split) for split in ("train", "unseen"))
  assert not train & unseen and "" in train
  assert 2 <= len(unseen) <= 10 and len(train | unseen) == 21
  assert unseen == {name for name in train | unseen if ingest.is_held_out(name, .3)}


def test_rows_of_a_bin_can_be_excluded(tmp_path):
  table, other = tmp_path / "rows.csv", tmp_path / "other.csv"
  table.write_text("processid,nucleotides,bin_uri\nP1,ACGTACGT,B1\nP2,ACGTACGA,B2\n"
                   "P3,ACGTACGC,\n")
  other.write_text("processid,nucleotides,bin_uri\nX1,TTTT,B2\nX2,TTTT,\n")
  _, summary = ingest.prepare([str(table)], tmp_path / "data", exclude=[str(other)],
                              exclude_by=["bin"], show_progress=False)
  assert summary["dropped"] == {"excluded_by_bin": 1}
