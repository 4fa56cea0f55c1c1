"""A small made-up library: families, genera and species that differ at some letters."""

import numpy as np

from dnajax.identification import references

LENGTH = 240


def mutated(rng, text, share):
  letters = np.array(list(text))
  places = rng.random(len(text)) < share
  letters[places] = rng.choice(list("ACGT"), places.sum())
  return "".join(letters)


def rows(*, families=4, genera=3, species=4, individuals=4, apart=.12, seed=0):
  """[(id, sequence, {rank: name})]; apart: share of the letters that a genus has of its own."""
  rng = np.random.default_rng(seed)
  out, root = [], "".join(rng.choice(list("ACGT"), LENGTH, p=[.4, .1, .2, .3]))
  for f in range(families):
    of_family = mutated(rng, root, .3)
    for g in range(genera):
      of_genus = mutated(rng, of_family, apart)
      for s in range(species):
        of_species = mutated(rng, of_genus, .06)
        for i in range(individuals):
          out.append((f"r{f}{g}{s}{i}", mutated(rng, of_species, .01),
                      {"family": f"F{f}", "genus": f"G{f}{g}", "species": f"G{f}{g} s{s}"}))
  return out


def split(named, is_query):
  """(References of the rows, query rows) by a function of (id, names)."""
  return (references.collect(row for row in named if not is_query(row)),
          [row for row in named if is_query(row)])


def is_last_species(row):
  return row[2]["species"].endswith("s3")
