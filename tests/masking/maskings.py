"""Maskings, a tokenizer and records that the tests of whole maskings share."""

import numpy as np
import oracles

from dnajax.config import build
from dnajax.masking import settings as settings_lib
from dnajax.tokens import tokenizer as tokenizer_lib

TOKENIZER = tokenizer_lib.make(tokenizer_lib.TokenSettings(k=3, stride=1), 80)
RANKS = np.concatenate(
    [[0, 0], 1 + np.random.default_rng(0).permutation(64)]).astype(np.int32)


def make(**values):
  """settings.Masking of a table of values, as in a config."""
  return build.build(settings_lib.Masking, values, "masking")


class Records:
  """Stands in for records.Split: random DNA of several lengths."""
  num_records = 64

  def bases(self, ids, length):
    rows = oracles.random_codes(np.random.default_rng(0), self.num_records, length, 0.005)
    return rows[ids]
