"""Ancestors evolved down order, family, genus, species and individual.

A star at every level: each node has a fixed number of children, at distances
drawn from a gamma distribution, so that some species are close and others far.
"""

import numpy as np

from data_pipelines import cleaning, write
from data_pipelines.simulated_barcodes import codon_model

SPLITS = ("pretrain", "train", "valid", "test", "unseen")
CLEANING = cleaning.Cleaning()
_LEVELS = ("order", "family", "genus", "species")
_LONGEST_LOSS = 60                  # base pairs missing at a ragged end


def fill(spool, settings):
  """Adds the simulated records to the spool, shuffled. Returns write.Source."""
  rng = np.random.default_rng(settings.seed)
  species = tree(rng, settings)
  parent, split = individuals(rng, settings)                       # [N], [N]
  order = rng.permutation(len(parent))
  order = order[np.argsort(split[order], kind="stable")]
  parent, split = parent[order], np.array(SPLITS)[split[order]]
  model = species["model"]
  codons = model.children(rng, species["codons"][parent],
                          _branches(rng, settings, "individual", len(parent)))
  letters = sequence_noise(rng, codon_model.to_bases(codons, settings.length), settings)
  has_name = (split != "pretrain") | (rng.random(len(parent)) >= settings.unlabelled_share)
  for i, text in enumerate(letters):
    labels = [names[parent[i]] for names in species["names"]]
    spool.add(str(split[i]), f"SIM{i + 1:07d}", text,
              [*labels[:-1], labels[-1] if has_name[i] else ""])
  return write.Source(num_read=len(parent))


def tree(rng, settings):
  """Evolves the species.

  Returns:
    dict: "codons" [S, C] of the S species, "names" a list of S names per level,
    and the "model" that evolved them.
  """
  model = codon_model.CodonModel(
      rng, num_codons=codon_model.num_codons(settings.length), kappa=settings.kappa,
      omega=settings.omega, omega_shape=settings.omega_shape)
  nodes = model.root(rng)[None]                                    # [1, C]
  counts = (settings.orders, settings.families, settings.genera, settings.species)
  for level, count in zip(_LEVELS, counts, strict=True):
    nodes = np.repeat(nodes, count, axis=0)
    nodes = model.children(rng, nodes, _branches(rng, settings, level, len(nodes)))
  return {"codons": nodes, "names": _names(counts), "model": model}


def _branches(rng, settings, level, count):
  mean, shape = getattr(settings, f"{level}_divergence"), settings.branch_shape
  return rng.gamma(shape, mean / shape, count)


def _names(counts):
  """Names of each species' order, family, genus and of itself."""
  ids = np.indices(counts).reshape(len(counts), -1)                # [4, S]
  o, f, g, s = (ids + 1).tolist()
  return [[f"Ordo{a:02d}" for a in o],
          [f"Familia{a:02d}{b:02d}" for a, b in zip(o, f, strict=True)],
          [f"Genus{a:02d}{b:02d}{c:02d}" for a, b, c in zip(o, f, g, strict=True)],
          [f"Genus{a:02d}{b:02d}{c:02d} species{d:02d}"
           for a, b, c, d in zip(o, f, g, s, strict=True)]]


def individuals(rng, settings):
  """Which species each record belongs to, and its split.

  The last `unseen_species` species of every genus are in `unseen` only. The
  others give `labelled` records to train, valid and test, the rest to pretrain.

  Returns:
    ([N] species numbers, [N] numbers of SPLITS).
  """
  num_species = settings.orders * settings.families * settings.genera * settings.species
  is_unseen = (np.arange(num_species) % settings.species
               >= settings.species - settings.unseen_species)
  extra = rng.geometric(1 / (settings.individuals - settings.labelled), num_species)
  count = np.where(is_unseen, settings.labelled, settings.labelled + extra)
  parent = np.repeat(np.arange(num_species), count)
  rank = np.arange(len(parent)) - np.repeat(np.cumsum(count) - count, count)
  split = np.select(
      [is_unseen[parent], rank == 0, rank == 1, rank < settings.labelled],
      [SPLITS.index(name) for name in ("unseen", "test", "valid", "train")],
      SPLITS.index("pretrain"))
  return parent, split


def sequence_noise(rng, bases, settings):
  """Base codes [N, bp] -> list of N texts with wrong calls, N and ragged ends."""
  num, length = bases.shape
  wrong = rng.random(bases.shape) < settings.error_rate
  bases = (bases + wrong * rng.integers(1, 4, bases.shape)) % 4
  letters = np.frombuffer(codon_model.BASES.encode(), np.uint8)[bases]
  has_n = rng.random(num) < settings.n_share
  run_start, run_length = rng.integers(0, length, num), rng.geometric(1 / 8, num)
  position = np.arange(length)[None]
  in_run = (position >= run_start[:, None]) & (position < (run_start + run_length)[:, None])
  letters[has_n[:, None] & in_run] = ord("N")
  loss = np.minimum(rng.geometric(1 / 20, (2, num)), _LONGEST_LOSS)
  share = np.array([[settings.ragged_start_share], [settings.ragged_end_share]])
  loss = np.where(rng.random((2, num)) < share, loss, 0)
  loss = np.minimum(loss, length // 4)
  return [CLEANING.clean(row[a:length - b].tobytes()).decode("ascii")
          for row, a, b in zip(letters, *loss, strict=True)]
