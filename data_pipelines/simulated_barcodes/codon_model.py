"""Evolution of a mitochondrial coding sequence, codon by codon.

A continuous-time Markov chain over the 62 sense codons of the invertebrate
mitochondrial code. Only single-base changes happen in an instant; the rate of a
change is the frequency of the target codon, times kappa for a transition, times
the site's omega if the amino acid changes. Third positions then change most,
because most of their changes are silent, and they saturate on long branches.
"""

import numpy as np

BASES = "ACGT"
# The invertebrate mitochondrial code (NCBI table 5), bases in the order ACGT.
AMINO_ACIDS = ("KNKNTTTTSSSSMIMI" "QHQHPPPPRRRRLLLL" "EDEDAAAAGGGGVVVV" "*Y*YSSSSWCWCLFLF")
CODONS = np.array([[i // 16, i // 4 % 4, i % 4] for i in range(64)])    # [64, 3]
IS_STOP = np.array([a == "*" for a in AMINO_ACIDS])                     # [64]
# Base frequencies A, C, G, T by codon position, rounded from arthropod COI barcodes.
FREQUENCIES = np.array([[.30, .15, .26, .29], [.15, .25, .16, .44], [.44, .08, .03, .45]])
_NUM_SITE_CLASSES = 8


def codon_frequencies():
  """Equilibrium frequencies, [64]; 0 for stop codons."""
  product = np.prod(FREQUENCIES[np.arange(3), CODONS], axis=1)
  product[IS_STOP] = 0
  return product / product.sum()


def rate_matrix(*, kappa, omega):
  """Rates from codon i to codon j, [64, 64], rows summing to 0."""
  differs = CODONS[:, None] != CODONS[None]                              # [64, 64, 3]
  is_single = differs.sum(-1) == 1
  # A<->G and C<->T are two apart in ACGT.
  is_transition = (np.abs(CODONS[:, None] - CODONS[None]) * differs).sum(-1) == 2
  amino_acids = np.array(list(AMINO_ACIDS))
  is_silent = amino_acids[:, None] == amino_acids[None]
  rates = is_single * codon_frequencies()[None]
  rates = rates * np.where(is_transition, kappa, 1) * np.where(is_silent, 1, omega)
  rates[IS_STOP] = 0
  np.fill_diagonal(rates, -rates.sum(1))
  return rates


class CodonModel:
  """Draws roots and children of codon arrays."""

  def __init__(self, rng, *, num_codons, kappa, omega, omega_shape):
    """Fixes the constraint of each of the C codon sites.

    Args:
      rng: numpy Generator.
      num_codons: C.
      kappa: transitions over transversions.
      omega: mean over sites of amino-acid changes over silent ones.
      omega_shape: gamma shape of omega over sites; small = few free sites.
    """
    draws = np.sort(rng.gamma(omega_shape, omega / omega_shape, 4096))
    omegas = draws.reshape(_NUM_SITE_CLASSES, -1).mean(1)
    rates = np.stack([rate_matrix(kappa=kappa, omega=w) for w in omegas])
    frequencies = codon_frequencies()
    leaving = -np.einsum("i,cii->c", frequencies, rates).mean()
    self._rates = rates / (leaving / 3)       # one substitution per base and unit time
    self._site_class = rng.permutation(num_codons) % _NUM_SITE_CLASSES     # [C]

  def root(self, rng):
    """An ancestor drawn from equilibrium, [C] codon numbers."""
    return rng.choice(64, len(self._site_class), p=codon_frequencies())

  def children(self, rng, parents, branches):
    """Lets each parent evolve along its branch.

    Args:
      rng: numpy Generator.
      parents: [n, C] codon numbers.
      branches: [n] expected substitutions per base.

    Returns:
      [n, C] codon numbers without stop codons.
    """
    # Branch lengths are rounded to 32 steps, so that few matrices are needed.
    levels = np.quantile(branches, (np.arange(32) + .5) / 32)
    level = np.abs(branches[:, None] - levels[None]).argmin(1)             # [n]
    out = np.empty_like(parents)
    for i in np.unique(level):
      rows = level == i
      out[rows] = self._draw(rng, parents[rows], levels[i])
    return out

  def _draw(self, rng, parents, branch):
    cumulative = np.cumsum(_exponential(self._rates * branch), axis=-1)  # [classes, 64, 64]
    cumulative[..., -1] = 1
    # One search for all sites: row r of the table holds values in (r, r + 1].
    table = cumulative.reshape(-1, 64) + np.arange(cumulative.shape[0] * 64)[:, None]
    rows = self._site_class[None] * 64 + parents                           # [n, C]
    found = np.searchsorted(table.ravel(), rows + rng.random(parents.shape), side="right")
    return found - rows * 64


def _exponential(matrices):
  """exp of [..., n, n] by scaling and squaring; rows of a rate matrix sum to 1."""
  squarings = 12
  step = np.eye(matrices.shape[-1]) + matrices / 2 ** squarings
  for _ in range(squarings):
    step = step @ step
  step = np.maximum(step, 0)
  return step / step.sum(-1, keepdims=True)


def to_bases(codons, length):
  """Codons -> base codes with the reading frame of COI-5P.

  The 658 bp of a barcode begin with the last base of a codon. Here the first
  length % 3 bases are taken from a leading codon.

  Args:
    codons: [n, C] with C = num_codons(length).
    length: base pairs (bp).

  Returns:
    [n, bp] uint8.
  """
  flat = CODONS[codons].reshape(len(codons), -1)
  return flat[:, flat.shape[1] - length:].astype(np.uint8)


def num_codons(length):
  """Codons that cover `length` base pairs."""
  return -(-length // 3)
