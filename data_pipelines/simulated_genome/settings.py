"""Settings of the simulated genome, with the reasons for their defaults."""

import dataclasses
import math

from dnajax.shell import errors


@dataclasses.dataclass(frozen=True)
class Settings:
  """All that decides the simulated genome. Lengths in base pairs."""
  seed: int = 0
  contigs: int = 8
  contig_length: int = 250_000       # 2 Mbp: 10,000 windows, made in a few seconds

  # The background: a Markov chain of order 3, the least in which dinucleotides and
  # codon-sized words have shares of their own, as in genomes.
  gc_share: float = 0.41             # human
  cpg_share: float = 0.25            # CpG seen over expected, human
  context_concentration: float = 500.0  # Dirichlet; lower: the chain itself ranks k-mers

  # Motifs are what there is to learn: 2.4 % of the bases. With 400 copies, half of them on
  # either strand, the median count of a 6-mer inside a motif is 606, of the others 466, and
  # 65 % of the former come to the top tenth of an exact PMI ranking.
  motifs: int = 12
  motif_length: int = 10
  copies: int = 400                  # of each motif, on either strand
  motif_error: float = 0.05          # a base of a copy that differs

  # One family of diverged repeats in lower case, as RepeatMasker leaves them.
  repeat_length: int = 300           # an Alu
  repeats: int = 200                 # 3 % of the bases; human: 50 %
  repeat_divergence: float = 0.15

  n_runs: int = 3                    # of each contig
  longest_n_run: int = 2_000

  # Windows; see windows.Cuts. Shorter than DNABERT's 511 because a small model on a CPU
  # learns more from many short rows.
  window_length: int = 261           # 256 overlapping 6-mers
  valid_share: float = 0.1
  block_length: int = 10_000         # 200 blocks, 20 of them valid

  def __post_init__(self):
    for name in ("contigs", "motifs", "motif_length", "repeat_length", "longest_n_run"):
      if getattr(self, name) < 1:
        raise errors.UserError(f"simulate: {name}={getattr(self, name)} has to be >= 1.")
    for name in ("copies", "repeats", "n_runs"):
      if getattr(self, name) < 0:
        raise errors.UserError(f"simulate: {name}={getattr(self, name)} has to be >= 0.")
    for name in ("gc_share", "cpg_share", "motif_error", "repeat_divergence"):
      if not 0 <= getattr(self, name) <= 1:
        raise errors.UserError(f"simulate: {name}={getattr(self, name)} has to be in 0..1.")
    planted = (math.ceil(self.motifs * self.copies / self.contigs) * self.motif_length
               + math.ceil(self.repeats / self.contigs) * self.repeat_length
               + self.n_runs * self.longest_n_run)
    if planted > self.contig_length / 2:
      raise errors.UserError(
          f"simulate: motifs, repeats and runs of N would fill {planted:,} of the "
          f"{self.contig_length:,} bp of a contig. Lower copies, repeats or n_runs, or "
          "raise contig_length.")
