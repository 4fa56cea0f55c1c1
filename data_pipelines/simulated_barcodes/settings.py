"""Settings of the simulation, with the reasons for their defaults."""

import dataclasses

from dnajax.shell import errors


@dataclasses.dataclass(frozen=True)
class Settings:
  """All that decides the simulated data. Counts are per parent.

  Branch lengths (…_divergence) are expected accepted substitutions per base
  from the parent node to its child, averaged over sites and children. Two
  species of a genus are two branches apart, and third positions change about
  ten times as often as the others.
  """
  seed: int = 0
  length: int = 658                  # base pairs of COI-5P

  orders: int = 3
  families: int = 2
  genera: int = 4                    # 24 genera
  species: int = 20                  # 480 species
  unseen_species: int = 4            # of these, only in split unseen
  individuals: int = 24              # mean number per species
  labelled: int = 4                  # of these 2 train, 1 valid, 1 test

  # Chosen so that a demonstration of minutes shows something: 6-mer counts find most
  # genera of unseen species, an untrained encoder about a third, and what distinguishes
  # genera is learnt within some hundred updates. Real arthropod COI barcodes are harder
  # (250 genera of BOLD: 10 % difference within a genus, 12 % within a family, 15 %
  # within an order, 24 % beyond): the stem of a genus is short there, here it is long.
  order_divergence: float = 0.15
  family_divergence: float = 0.1
  genus_divergence: float = 0.2
  species_divergence: float = 0.12
  individual_divergence: float = 0.006
  branch_shape: float = 2.0          # gamma shape of branch lengths among siblings

  kappa: float = 4.0                 # rate of transitions over transversions
  omega: float = 0.05                # rate of amino-acid changes over silent ones
  omega_shape: float = 0.5           # gamma shape of omega over sites
  # Wrong base calls, as many as in early nanopore reads: with clean reads an untrained
  # encoder, which is a random projection of k-mer counts, is nearly as good as the counts.
  error_rate: float = 0.08
  n_share: float = 0.10              # records with some N
  # Barcodes begin at the same base, behind the primer; where they do not, whether a row
  # is shifted is what a small encoder learns first, long before any taxon.
  ragged_start_share: float = 0.0    # records whose first bases are missing
  ragged_end_share: float = 0.15     # records whose last bases are missing
  unlabelled_share: float = 0.30     # pretrain records without a species name

  def __post_init__(self):
    for name in ("orders", "families", "genera", "species", "unseen_species"):
      if getattr(self, name) < 1:
        raise errors.UserError(f"simulate: {name}={getattr(self, name)} has to be >= 1.")
    if self.unseen_species >= self.species:
      raise errors.UserError(
          f"simulate: unseen_species={self.unseen_species} leaves none of the "
          f"{self.species} species of a genus to learn from.")
    if self.labelled < 3 or self.individuals <= self.labelled:
      raise errors.UserError(
          f"simulate: labelled={self.labelled} has to be >= 3 (train, valid, test) and "
          f"below individuals={self.individuals}, so that pretrain is not empty.")
    if self.length < 30:
      raise errors.UserError(f"simulate: length={self.length} has to be >= 30 bp.")


def parse(pairs, kind=Settings):
  """["seed=1", "genera=3"] -> {"seed": 1, "genera": 3}; UserError if `kind` has no such."""
  types = {field.name: field.type for field in dataclasses.fields(kind)}
  out = {}
  for pair in pairs:
    name, _, value = pair.partition("=")
    if name not in types:
      raise errors.UserError(f"--simulate: unknown setting {name!r}. Known: "
                             f"{', '.join(types)}.")
    try:
      out[name] = types[name](value)
    except ValueError:
      raise errors.UserError(f"--simulate: {pair!r} is not a {types[name].__name__}.") from None
  return out
