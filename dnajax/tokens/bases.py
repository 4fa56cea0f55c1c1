"""Base codes: how DNA letters travel as bytes from the host to the device.

A, C, G, T are 0..3 (so that a k-mer is a base-4 number in ACGT order), any
other letter (N, IUPAC ambiguity codes, also under tokens.n_policy="in_vocabulary")
is `UNKNOWN`, and positions behind the end of a sequence are `PAD`. Letters are upper
case and U is T already: `data_pipelines.cleaning` is the one place for that.
"""

import numpy as np

ALPHABET = "ACGT"
UNKNOWN = 4
PAD = 5

_CODE_OF_BYTE = np.full(256, UNKNOWN, np.uint8)
for _code, _letter in enumerate(ALPHABET):
  _CODE_OF_BYTE[ord(_letter)] = _code


def encode(sequence):
  """Codes of one sequence. str or bytes of n letters -> [n] uint8."""
  if isinstance(sequence, str):
    sequence = sequence.encode("latin-1", "replace")
  return _CODE_OF_BYTE[np.frombuffer(sequence, np.uint8)]


def encode_batch(sequences, length):
  """Codes of several sequences, cut or padded at the right to `length`.

  Args:
    sequences: n cleaned strings or bytes.
    length: base pairs per row (bp).

  Returns:
    [n, bp] uint8, `PAD` behind the end of each sequence.
  """
  out = np.full((len(sequences), length), PAD, np.uint8)
  for row, sequence in zip(out, sequences, strict=True):
    codes = encode(sequence[:length])
    row[:len(codes)] = codes
  return out
