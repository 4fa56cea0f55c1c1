"""FASTA in pieces: equal to reading line by line, wherever the pieces end."""

import gzip
import itertools

import numpy as np
import pytest

from data_pipelines import fasta, formats
from dnajax.shell import errors

SIZES = [1, 2, 3, 7, 16, 1000]


def slow_fasta(text):
  """(line, name, letters) of every record, line by line; what is wrong as text."""
  out = []
  for number, line in enumerate(text.decode("utf-8-sig").split("\n"), 1):
    line = line.strip()
    if line[:1] == ">":
      if out and not out[-1][2]:
        return f"line {out[-1][0]}: header '>{out[-1][1]}' without a sequence"
      out.append([number, line[1:].strip(), ""])
    elif line and line[0] != ";":
      if not out:
        return f"line {number}: not FASTA, a header"
      out[-1][2] += line
  if not out:
    return "has no FASTA records"
  if not out[-1][2]:
    return f"line {out[-1][0]}: header '>{out[-1][1]}' without a sequence"
  return [tuple(record) for record in out]


def in_pieces(path, size):
  """What `slow_fasta` returns, from `read_pieces`."""
  pieces = list(fasta.read_pieces(str(path), size))
  assert all(letters for _, _, letters in pieces)
  return [(line, name, b"".join(letters for _, _, letters in group).decode())
          for (line, name), group in itertools.groupby(pieces, lambda piece: piece[:2])]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_fasta_in_pieces_is_fasta_line_by_line(tmp_path, size, end):
  rng = np.random.default_rng(size)
  path = tmp_path / "a.fa"
  for trial in range(20):
    lines = ["; made > by hand"] * (trial % 2) + [" "] * (trial % 5 == 1)
    for record in range(rng.integers(1, 5)):
      lines.append(f">c{record} > a; b\tc ä "[:rng.integers(2, 16)])
      lines.append("".join(rng.choice(list("ACGTNacgtn"), rng.integers(1, 30))))
      for _ in range(rng.integers(0, 4)):
        width = rng.integers(0, 12)
        line = "".join(rng.choice(list("ACGTNacgtn"), width))
        lines.append(str(rng.choice([line, line, line, line + "  \t", "\t" + line,
                                     "AC  GT;A>", "; a comment", "", "  "])))
    text = (b"\xef\xbb\xbf" if trial % 3 == 0 else b"") + end.join(lines).encode()
    text += end.encode() if trial % 5 else b""
    path.write_bytes(gzip.compress(text) if trial % 4 == 0 else text)
    assert in_pieces(path, size) == slow_fasta(text) == list(fasta.read_fasta(str(path)))


WRONG = [b"ACGT\n>a\nAC\n", b"\n \n; no header\n  ACGT\n", b">a\n>b\nAC\n", b">a\nAC\n>b\n\n",
         b">a\n;AC\n", b">a", b";a\n\n", b">a\nAC\n>bb\n \n;\n>c\nA\n"]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_fasta_is_refused_with_its_line(tmp_path, size, text):
  path = tmp_path / "a.fa"
  path.write_bytes(text)
  message = slow_fasta(text)
  with pytest.raises(errors.UserError) as caught:
    in_pieces(path, size)
  assert str(path) in str(caught.value) and message in str(caught.value)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("text, message", [
    (b">a\nACGTACGT\nAC\0GT\n", "line 3: binary data"),
    (b">a\nACGTACGT\n>b\xe4\nACGT\n", "line 3: byte 0xe4 is not UTF-8"),
    (b">a\nACGT\nACGT\nAC\xffGT", "line 4: byte 0xff is not UTF-8")])
def test_bytes_that_are_no_text_are_refused_with_their_line(tmp_path, size, text, message):
  path = tmp_path / "a.fa"
  path.write_bytes(text)
  with pytest.raises(errors.UserError, match=message):
    in_pieces(path, size)


@pytest.mark.parametrize("size", [1 << 10, 1 << 21])
def test_a_truncated_file_gives_the_line_it_reaches(tmp_path, size):
  path = tmp_path / "a.fa.gz"
  letters = np.random.default_rng(0).choice(list("ACGT"), (20_000, 60))
  text = b">a\n" + "\n".join(map("".join, letters)).encode()
  whole = gzip.compress(text)
  path.write_bytes(whole[:len(whole) // 2])
  with pytest.raises(errors.UserError, match="after line .* cut off or damaged") as caught:
    in_pieces(path, size)
  reached = int(str(caught.value).split("after line ")[1].split(":")[0])
  assert 0 <= reached <= 10_500 and (size > 1 << 10 or reached > 4_000)


def test_a_line_longer_than_a_piece_comes_in_parts_and_is_not_taken_for_a_header(tmp_path):
  path = tmp_path / "a.fa"
  path.write_text(">a\n" + "ACGTT" * 40 + "\n>b\n" + "GG>" * 30)
  pieces = list(fasta.read_pieces(str(path), 8))
  assert max(len(letters) for *_, letters in pieces) <= 16
  assert "".join(x.decode() for line, _, x in pieces if line == 1) == "ACGTT" * 40
  assert "".join(x.decode() for line, _, x in pieces if line == 3) == "GG>" * 30


@pytest.mark.parametrize("text, bad, line, shown", [
    (b">a\nAXC\n>b x\n; x\nAC\nACxGT\n", b"xX", 6, "'x'"),
    (">a\nAXC\n>b\nAC\nAC-ä\n".encode(), "-ä".encode(), 5, "'-ä'")])
def test_letters_that_are_none_are_shown_with_their_line(tmp_path, text, bad, line, shown):
  path = tmp_path / "a.fa"
  path.write_bytes(text)
  message = str(fasta.explain_letters(str(path), 3, bad))
  assert f"{path}, line {line}: " in message and f"IUPAC letters: {shown}. " in message


def test_what_is_not_fasta_by_its_content_is_refused(tmp_path):
  path = tmp_path / "a.fa"
  path.write_text("@r\nACGT\n+\nIIII\n")
  assert formats.sniff(str(path)).name == "FASTQ"
  with pytest.raises(errors.UserError, match="looks like FASTQ"):
    formats.require_fasta(str(path))
