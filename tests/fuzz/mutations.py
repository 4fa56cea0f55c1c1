"""Damaged copies of well-formed input: seeded, of the kinds that files suffer."""

import gzip
import io
import random

import pyarrow as pa
from pyarrow import parquet

_BYTES = (b"\0", b"\xff", b"\r\n", b"\n", b"\r", b"\t", b'"', b",", b";", b">", b"@", b"+",
          b"\xef\xbb\xbf", b" ", b"-", b"99999999999999999999", b"1e999", b"NaN", b"../../x",
          b"\xc3\x28", b"\xe2\x80\xa8", b"X", b"{", b"[", b"null", b"=", b"\x1f\x8b")
_FASTA = b">a1 Aus bus\nACGTNACGTRYAC\nGGTTAACC\n>a2 Aus cus\nacgtacgtnnacgt\n"
_FASTQ = b"@a1 x\nACGTNACGT\n+\nIIIIIIIII\n@a2 y\nACGTACGTA\n+\nIIIIIIIII\n"
_TSV = (b"processid\tsplit\tnucleotides\tgenus\tspecies\n"
        b"p1\ttrain\tACGTACGTACGT\tAus\tAus bus\np2\tvalid\tACGTNNNRACGT\tAus\t\n")
_CSV = b'sequence,label\n"ACGTACGT",0\nACGTACGG,1\n"AC\nGT",1\n'


def _parquet():
  out = io.BytesIO()
  parquet.write_table(pa.table({
      "processid": ["p1", "p2", None], "split": ["train", "valid", "train"],
      "nucleotides": ["ACGTACGT", "ACGTNACGT", "ACGGACGT"], "genus": ["Aus", None, "Bus"]}), out)
  return out.getvalue()


def _odd_types():
  """Tables that are well-formed and hold what no sequence is."""
  bad = pa.array([b"AC\xffGT", b"ACGT"], pa.binary()).view(pa.string())
  columns = [bad, pa.array([1, 2]), pa.array([[1], [2]]), pa.array([{"a": 1}, None]),
             pa.array([1.5, None]), pa.array([2**62, -2**62], pa.timestamp("us")),
             pa.array([b"ACGT\0", b"\xff"]), pa.array([None, None]), pa.array([True, False]),
             pa.array(["ACGT", "GGTT"]).dictionary_encode()]
  for column in columns:
    out = io.BytesIO()
    parquet.write_table(pa.table({"processid": ["a", "b"], "nucleotides": column}), out)
    yield out.getvalue()


SEEDS = {"fasta": [_FASTA], "fastq": [_FASTQ], "tsv": [_TSV], "csv": [_CSV],
         "parquet": [_parquet(), *_odd_types()]}


def mutate(rng, data):
  """A damaged copy.

  Args:
    rng: random.Random.
    data: bytes.

  Returns:
    bytes, at most some 100 kB longer.
  """
  data = bytearray(data)
  for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
    at = rng.randrange(len(data) + 1)
    kind = rng.randrange(9)
    if kind == 0 and data:
      data[at % len(data)] ^= 1 << rng.randrange(8)
    elif kind == 1:
      del data[at:]
    elif kind == 2:
      data[at:at] = rng.choice(_BYTES)
    elif kind == 3:
      data[at:at + rng.randrange(20)] = rng.randbytes(rng.randrange(20))
    elif kind == 4:                                    # a field or line twice
      data[at:at] = data[max(0, at - rng.randrange(40)):at]
    elif kind == 5:
      del data[at:at + rng.randrange(30)]
    elif kind == 6 and rng.random() < 0.1:
      data[at:at] = rng.choice((b"A", b" ", b">", b'"', b"X", b"\n")) * rng.randrange(100_000)
    elif kind == 7:
      data[:] = data.replace(b"\n", rng.choice((b"\r\n", b"\r", b"\n\n", b"")))
    elif kind == 8 and rng.random() < 0.1:
      data[:] = data[at:] + data[:at]
  return bytes(data)


def files(seed):
  """Endless stream of (format, damaged bytes), one in six compressed, half of these
  damaged behind the compression."""
  rng = random.Random(seed)
  while True:
    name = rng.choice(list(SEEDS))
    data = rng.choice(SEEDS[name])
    if rng.random() < 1 / 6:
      if rng.random() < 0.5:
        data = mutate(rng, data)
      data = gzip.compress(data, 1)
      yield name, data if rng.random() < 0.5 else mutate(rng, data)
    else:
      yield name, mutate(rng, data)


def texts(seed, originals):
  """Endless stream of damaged copies of some of `originals`, as text or bytes like them."""
  rng = random.Random(seed)
  while True:
    original = rng.choice(originals)
    if isinstance(original, bytes):
      yield mutate(rng, original)
    else:
      yield mutate(rng, original.encode()).decode("utf-8", "replace")
