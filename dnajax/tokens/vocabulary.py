"""Which id stands for which k-mer: the BarcodeBERT vocabulary."""

import dataclasses

from dnajax import bases

N_POLICIES = ("unk", "in_vocabulary")


@dataclasses.dataclass(frozen=True)
class Vocabulary:
  """[MASK] = 0, [UNK] = 1, ([CLS] = 2), then all k-mers in ACGT order.

  With `n_policy="in_vocabulary"` the k-mers that hold an N follow, in ACGTN
  order (BarcodeBERT's option `tokenize_n_nucleotide`); with "unk" they are all
  [UNK]. Source: bioscan-ml/BarcodeMAE, datasets.py; ids as published.

  Attributes:
    k: letters per token, 1..8.
    n_policy: "unk" or "in_vocabulary".
    add_cls: reserve id 2 for [CLS].
  """
  k: int = 6
  n_policy: str = "unk"
  add_cls: bool = False

  mask_id = 0
  unk_id = 1
  cls_id = 2  # only with add_cls

  def __post_init__(self):
    if not 1 <= self.k <= 8:
      raise ValueError(f"tokens.k={self.k} is outside 1..8.")
    if self.n_policy not in N_POLICIES:
      raise ValueError(f"Unknown tokens.n_policy {self.n_policy!r}. "
                       f"Known: {', '.join(N_POLICIES)}.")

  @property
  def num_special(self):
    """Ids below this one are not k-mers."""
    return 2 + self.add_cls

  @property
  def num_classes(self):
    """Number of k-mers, the classes of the vocabulary head."""
    letters = len(bases.ALPHABET) + (self.n_policy == "in_vocabulary")
    return letters**self.k

  @property
  def size(self):
    """V, number of ids."""
    return self.num_special + self.num_classes

  def names(self):
    """Text of every id, list of V strings."""
    specials = ["[MASK]", "[UNK]", "[CLS]"][:self.num_special]
    plain = _words(bases.ALPHABET, self.k)
    if self.n_policy == "unk":
      return specials + plain
    return specials + plain + [
        word for word in _words(bases.ALPHABET + "N", self.k) if "N" in word]


def _words(alphabet, k):
  words = [""]
  for _ in range(k):
    words = [word + letter for word in words for letter in alphabet]
  return words
