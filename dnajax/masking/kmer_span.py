"""DNABERT's selection: random centres, each with its k - 1 neighbours."""

import dataclasses

import jax
from jaxtyping import Array, Bool, Float, Int, Key

from dnajax.masking import neighbours, selection

# What DNABERT masks around a centre, for each k (examples/run_pretrain.py; the
# centre itself is written out here). A run of k overlapping k-mers hides one
# nucleotide completely: every k-mer that holds it is selected.
OFFSETS = {
    3: (-1, 0, 1),
    4: (-1, 0, 1, 2),
    5: (-2, -1, 0, 1, 2),
    6: (-2, -1, 0, 1, 2, 3),
}


@dataclasses.dataclass(frozen=True)
class KmerSpan(selection.Selection):
  """Random centres, each with its neighbouring k-mers (DNABERT).

  Every maskable position is a centre with the same chance, independently; a
  centre selects itself and its neighbours, and spans may overlap. DNABERT uses
  probability .025 at k = 6, which selects 14.1 % of 506 tokens.

  Differs from the public code: spans are cut to the maskable positions. The
  public code cuts them to the stretch between [CLS] and [SEP] and so also
  selects [UNK] there.
  """
  ratio: float = 0.15        # share of the maskable tokens to select
  probability: float = 0.0   # of a centre; 0: found for the ratio
  offsets: tuple[int, ...] = ()  # selected around a centre; (): DNABERT's for tokens.k

  def check(self, setup):
    """Beside the chances: 0 is an offset, or DNABERT has some for this k."""
    yield from super().check(setup)
    if self.offsets and 0 not in self.offsets:
      yield "offsets", "numbers with 0, the centre, among them"
    k = setup.tokenizer.vocabulary.k if setup.tokenizer else 6
    if not self.offsets and k not in OFFSETS:
      yield "offsets", (f"given for tokens.k={k}, as (-1, 0, 1): DNABERT has none for it, "
                        f"only for {', '.join(map(str, sorted(OFFSETS)))}")

  def for_tokenizer(self, tokenizer):
    """With the offsets of its k."""
    if self.offsets:
      return self
    return dataclasses.replace(self, offsets=OFFSETS[tokenizer.vocabulary.k])

  def __call__(self, key: Key[Array, ""], tokens: Int[Array, "B L"],
               is_maskable: Bool[Array, "B L"], *, ranks=None, rate: Float[Array, ""],
               step=None) -> Bool[Array, "B L"]:
    """See `selection.Selection`. Tokens, ranks and step are unused."""
    del ranks, step
    is_centre = jax.random.bernoulli(key, rate, tokens.shape) & is_maskable
    return neighbours.dilate(is_centre, self.offsets) & is_maskable
