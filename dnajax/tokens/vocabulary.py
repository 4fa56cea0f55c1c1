"""Which id stands for which k-mer: the vocabularies of the published models."""

import dataclasses

from dnajax.tokens import bases

N_POLICIES = ("unk", "in_vocabulary")

# name -> (special tokens in the order of their ids, letters in the order in
# which k-mers are counted through). Sources:
# barcodebert  bioscan-ml/BarcodeMAE, datasets.py; ids as published.
# dnabert      jerryji1993/DNABERT, the vocab.txt of each k; ids as published.
# logo         melobio/LOGO. Special ids as published, and its letter order; but
#              its public tables also hold the shorter n-grams and those with N,
#              built up in another order, so k-mer ids are not those of its
#              weights. GeneMask's "LOGO" is a model size with DNABERT's ids.
LAYOUTS = {
    "barcodebert": (("[MASK]", "[UNK]", "[CLS]"), "ACGT"),
    "dnabert": (("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"), "ATCG"),
    "logo": (("<unk>", "<cls>", "<mask>"), "AGCT"),
}


@dataclasses.dataclass(frozen=True)
class Vocabulary:
  """Special tokens, then all k-mers: id = num_special + base-4 number.

  The digit of a letter is its place in `letters`, the first letter of a k-mer
  counts most. Layouts, with the ids at k=6:

    barcodebert  [MASK] 0, [UNK] 1, ([CLS] 2 only with add_cls), then ACGT
                 order: without [CLS] AAAAAA 2, AAAAAC 3 … TTTTTT 4097.
    dnabert      [PAD] 0, [UNK] 1, [CLS] 2, [SEP] 3, [MASK] 4, then ATCG order:
                 AAAAAA 5, AAAAAT 6 … GGGGGG 4100.
    logo         <unk> 0, <cls> 1, <mask> 2, then AGCT order.

  With `n_policy="in_vocabulary"` the k-mers that hold an N follow, in ACGTN
  order (BarcodeBERT's option `tokenize_n_nucleotide`); with "unk" they are all
  [UNK].

  Attributes:
    k: letters per token, 1..8.
    n_policy: "unk", or "in_vocabulary" with layout "barcodebert".
    add_cls: [CLS] in front of every row.
    layout: a name in LAYOUTS (config.tokens.vocabulary).
    add_sep: [SEP] behind the last token of every row; only with "dnabert".
  """
  k: int = 6
  n_policy: str = "unk"
  add_cls: bool = False
  layout: str = "barcodebert"
  add_sep: bool = False

  def __post_init__(self):
    if not 1 <= self.k <= 8:
      raise ValueError(f"tokens.k={self.k} is outside 1..8.")
    if self.n_policy not in N_POLICIES:
      raise ValueError(f"Unknown tokens.n_policy {self.n_policy!r}. "
                       f"Known: {', '.join(N_POLICIES)}.")
    if self.layout not in LAYOUTS:
      raise ValueError(f"Unknown tokens.vocabulary {self.layout!r}. "
                       f"Known: {', '.join(LAYOUTS)}.")
    if self.n_policy == "in_vocabulary" and self.layout != "barcodebert":
      raise ValueError(
          f"tokens.n_policy='in_vocabulary' is not possible with tokens.vocabulary="
          f"{self.layout!r}, whose k-mers hold no N. Use n_policy='unk' or "
          "vocabulary='barcodebert'.")
    if self.add_sep and self.sep_id is None:
      raise ValueError(
          f"tokens.add_sep=True is not possible with tokens.vocabulary="
          f"{self.layout!r}, which has no [SEP]. Use add_sep=False or "
          "vocabulary='dnabert'.")

  @property
  def specials(self):
    """Text of the special tokens in the order of their ids, a tuple."""
    specials, _ = LAYOUTS[self.layout]
    if self.layout == "barcodebert" and not self.add_cls:
      return specials[:-1]  # as published: the k-mers begin one id earlier
    return specials

  @property
  def letters(self):
    """The four letters; the place of a letter is its digit."""
    return LAYOUTS[self.layout][1]

  @property
  def mask_id(self):
    """Id of [MASK]."""
    return self._id("mask")

  @property
  def unk_id(self):
    """Id of [UNK], the k-mers that hold an unknown base."""
    return self._id("unk")

  @property
  def cls_id(self):
    """Id of [CLS]; None where the layout reserves none."""
    return self._id("cls")

  @property
  def sep_id(self):
    """Id of [SEP]; None where the layout has none."""
    return self._id("sep")

  @property
  def pad_id(self):
    """Id of [PAD]; that of [UNK] where the layout has none, as published."""
    pad_id = self._id("pad")
    return self.unk_id if pad_id is None else pad_id

  @property
  def num_special(self):
    """Ids below this one are not k-mers; the class of a k-mer is id - num_special."""
    return len(self.specials)

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
    plain = [*self.specials, *_words(self.letters, self.k)]
    if self.n_policy == "unk":
      return plain
    return plain + [
        word for word in _words(self.letters + "N", self.k) if "N" in word]

  def _id(self, role):
    names = [special.strip("[]<>").lower() for special in self.specials]
    return names.index(role) if role in names else None


def _words(alphabet, k):
  words = [""]
  for _ in range(k):
    words = [word + letter for word in words for letter in alphabet]
  return words
