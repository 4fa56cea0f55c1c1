"""What is said of a whole sequence is learned from whole ones, of a piece from pieces."""

import dataclasses

import numpy as np

from dnajax.identification import calibration, calibrator

_WHOLE = 0.05     # as long as all but this share of the references
_TYPICAL = 658    # base pairs of a barcode; only a unit of lengths


@dataclasses.dataclass(frozen=True, eq=False)
class ByLength:
  """How likely a name at one rank is right: its taxon is among the references, and found.

  Attributes:
    whole: calibration.Known of sequences as they are.
    cut: the same of pieces of them, whose evidence has the length beside it.
    shortest: base pairs from which a query is no piece.
  """
  whole: calibration.Known
  cut: calibration.Known
  shortest: float

  def ratio(self, evidence, lengths):
    """calibrator.Evidence, [n] bp -> [n], see `calibration.Known.ratio`."""
    return self._of(calibration.Known.ratio, evidence, lengths)

  def right(self, evidence, lengths):
    """The same -> [n] that the name is right, see `calibration.Known.right`."""
    return self._of(calibration.Known.right, evidence, lengths)

  def _of(self, ask, evidence, lengths):
    lengths = np.asarray(lengths)
    return np.where(lengths >= self.shortest, ask(self.whole, evidence),
                    ask(self.cut, _with_length(evidence, lengths)))


def fit(evidence, lengths, is_whole, is_right, is_known, groups, references):
  """A ByLength.

  Args:
    evidence: calibrator.Evidence of n queries.
    lengths: [n] base pairs.
    is_whole: [n] bool, whether nothing was cut off them.
    is_right: [n] bool, of the names found for them.
    is_known: [n] bool, whether the references have their taxon.
    groups: [n] numbers, see `calibrator.fit`.
    references: [N] base pairs of the references.
  """
  rows = _with_length(evidence, lengths)
  return ByLength(
      *(calibration.fit_known(some[chosen], is_right[chosen], is_known[chosen], groups[chosen])
        for some, chosen in ((evidence, is_whole), (rows, ~is_whole))),
      float(np.quantile(references, _WHOLE)))


def _with_length(evidence, lengths):
  """Evidence with the length, and with what it is worth at such a length beside it."""
  length = np.log(np.maximum(np.asarray(lengths, np.float64), 1) / _TYPICAL)[:, None]
  length = np.minimum(length, 0)
  return calibrator.Evidence(
      np.concatenate([evidence.values, length, evidence.values * length], axis=1),
      evidence.taxa,
      np.concatenate([evidence.elsewhere, evidence.elsewhere * length], axis=1))
