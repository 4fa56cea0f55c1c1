"""Readers: what a file is follows from its content; damage is named with a line."""

import bz2
import gzip
import lzma

import pyarrow as pa
import pytest
from pyarrow import parquet

from data_pipelines import sequences
from dnajax.shell import errors

ROWS = [("P1", "ACGTACGT", "Apis"), ("P2", "GGNNTTAA", "Nan"), ("P3", "acgt-tga", "")]


def table(separator, rows=ROWS, header=("processid", "nucleotides", "genus")):
  return "".join(separator.join(row) + "\n" for row in (header, *rows))


def found(path, **options):
  return [(r.id, r.sequence, r.fields.get("genus"), r.line)
          for r in sequences.read(str(path), **options)]


EXPECTED = [(*row, line) for line, row in enumerate(ROWS, 2)]


@pytest.mark.parametrize("separator", ["\t", ",", ";"])
@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_the_separator_and_compression_are_found_from_the_content(
    tmp_path, separator, compress):
  path = tmp_path / "wrongly_named.dat"
  path.write_bytes(compress(table(separator).encode()))
  assert found(path) == EXPECTED


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_parquet_gives_the_same_records_with_row_numbers(tmp_path, compress):
  names = ("processid", "nucleotides", "genus")
  columns = [[value or None for value in column] for column in zip(*ROWS, strict=True)]
  parquet.write_table(pa.table(dict(zip(names, columns, strict=True))), tmp_path / "a")
  path = tmp_path / "a.parquet"
  path.write_bytes(compress((tmp_path / "a").read_bytes()))
  assert found(path) == [(*row, n) for n, row in enumerate(ROWS, 1)]


def test_a_quoted_csv_cell_may_hold_separators_and_line_ends(tmp_path):
  path = tmp_path / "a.csv"
  path.write_text('processid,note,nucleotides,genus\nA,"x, ""y""\nz",ACGT,Apis\nB,,GG,Bombus\n')
  assert found(path) == [("A", "ACGT", "Apis", 2), ("B", "GG", "Bombus", 4)]


def test_a_quotation_mark_is_an_ordinary_character_in_a_tsv(tmp_path):
  path = tmp_path / "a.tsv"
  path.write_text('processid\tnucleotides\tgenus\nA\tAC\t"Apis\nB\t"GG"\t"say ""x"""\n')
  assert found(path) == [("A", "AC", '"Apis', 2), ("B", "GG", 'say "x"', 3)]


def test_windows_line_ends_byte_order_mark_and_blank_lines_do_no_harm(tmp_path):
  path = tmp_path / "a.tsv"
  text = table("\t").replace("\n", "\r\n").replace("P2", "\r\nP2")
  path.write_bytes(b"\xef\xbb\xbf" + text.encode())
  assert [row[:3] for row in found(path)] == ROWS


FASTA = ">S1 Apis mellifera\nACGT\nAC\n\n; a comment\n>S2 Bombus terrestris\nGGTT\n"


def test_fasta_sequences_may_run_over_several_lines(tmp_path):
  path = tmp_path / "a.fasta.gz"
  path.write_bytes(gzip.compress(FASTA.encode()))
  assert found(path) == [("S1", "ACGTAC", None, 1), ("S2", "GGTT", None, 6)]


def test_a_header_pattern_gives_labels(tmp_path):
  path = tmp_path / "a.fasta"
  path.write_text(FASTA)
  pattern = r"(?P<id>\S+) (?P<species>(?P<genus>\w+) \w+)"
  assert found(path, header_pattern=pattern) == [
      ("S1", "ACGTAC", "Apis", 1), ("S2", "GGTT", "Bombus", 6)]


def test_fastq_is_read_without_its_qualities(tmp_path):
  path = tmp_path / "a.fq.gz"
  path.write_bytes(gzip.compress(b"@r1 x\nACGT\n+\nIIII\n@r2\nGG\n+\nII\n"))
  assert found(path) == [("r1", "ACGT", None, 1), ("r2", "GG", None, 5)]


def test_records_without_an_id_are_named_by_file_and_line(tmp_path):
  path = tmp_path / "a.tsv"
  path.write_text("sequence\tgenus\nACGT\tApis\n")
  assert found(path) == [("a.tsv:2", "ACGT", "Apis", 2)]


def cut(data, share):
  return data[:int(len(data) * share)]


def many_rows():
  return table("\t", [(f"P{i}", f"ACGT{i % 7}", str(i * 7919)) for i in range(20_000)])


DAMAGED = {  # name: (content, what the message says)
    "empty": (b"", "is empty"),
    "gzip of nothing": (gzip.compress(b""), "is empty once decompressed"),
    "blanks": (b"\n  \n", "nothing but blanks"),
    "binary": (b"ACGT\n\x00\x01\x02", "line 2: binary data"),
    "late binary": (table("\t").encode() + b"P4\tAC\0GT\tApis\n", "line 5: binary data"),
    "start of a zstd": (b"\x28\xb5\x2f\xfd....", "cut off or damaged"),
    "latin-1": (table("\t").encode() + "P4\tAC\tMäja\n".encode("latin-1"),
                "line 5: byte 0xe4 is not UTF-8"),
    "truncated gzip": (cut(gzip.compress(many_rows().encode()), .5), "cut off or damaged"),
    "start of a gzip": (cut(gzip.compress(many_rows().encode()), .001), "cut off or damaged"),
    "no sequence column": (b"processid\tgenus\nA\tApis\n",
                           "no column with sequences .* columns: processid, genus. .*--columns"),
    "no rows": (b"processid\tnucleotides\n", "no rows"),
    "too few cells": (table("\t").encode() + b"P4\tACGT\n", "line 5: 2 cells .* 3 columns"),
    "too many cells": (table("\t").encode() + b"P4\tACGT\tApis\tx\n", "line 5: 4 cells"),
    "unpaired quote": (b'processid,nucleotides\nA,AC\nB,"GG\nC,TT\n', "line 3: damaged table"),
    "two columns of one name": (b"id\tsequence\tsequence\nA\tC\tG\n", "two columns"),
    "header without sequence": (b">A\nACGT\n>B\n>C\nAC\n", "line 3: header '>B' without"),
    "last header without sequence": (b">A\nACGT\n>B\n", "line 3: header '>B' without"),
    "text before a header": (b"; comment\nACGT\n>B\nAC\n", "line 2: not FASTA"),
    "cut FASTQ": (b"@r1\nACGT\n+\nIIII\n@r2\nGG\n", "line 7: not FASTQ or cut off"),
    "uneven FASTQ": (b"@r1\nACGT\n+\nIII\n", "not FASTQ or cut off"),
    "cut Parquet": (b"PAR1" + bytes(100), "damaged Parquet"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_file_is_one_clear_line(tmp_path, case):
  content, message = DAMAGED[case]
  path = tmp_path / "input"
  path.write_bytes(content)
  with pytest.raises(errors.UserError, match=message) as info:
    list(sequences.read(str(path)))
  assert str(path) in str(info.value) and "\n" not in str(info.value)


def test_a_missing_file_and_a_directory_are_named(tmp_path):
  with pytest.raises(errors.UserError, match="no file"):
    list(sequences.read(str(tmp_path / "nothing.tsv")))
  with pytest.raises(errors.UserError, match="is a directory"):
    list(sequences.read(str(tmp_path)))


@pytest.mark.parametrize("columns, message", [
    ({"sequence": "bases"}, "no column 'bases'.*processid, nucleotides, genus"),
    ({"color": "genus"}, "unknown field 'color'")])
def test_a_wrong_column_map_says_what_there_is(tmp_path, columns, message):
  path = tmp_path / "a.tsv"
  path.write_text(table("\t"))
  with pytest.raises(errors.UserError, match=message):
    found(path, columns=columns)


@pytest.mark.parametrize("pattern, message", [
    ("(", "not a regular expression"), (r"\w+", "no named group"),
    (r"(?P<color>\w+)", "color"), (r"(?P<genus>\d+)$", "line 1: header .* does not match")])
def test_a_wrong_header_pattern_is_explained(tmp_path, pattern, message):
  path = tmp_path / "a.fasta"
  path.write_text(FASTA)
  with pytest.raises(errors.UserError, match=message):
    found(path, header_pattern=pattern)
