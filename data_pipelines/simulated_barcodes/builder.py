"""TFDS builder: simulated barcodes."""

from data_pipelines import builder

RANKS = ("order", "family", "genus", "species")


class SimulatedBarcodes(builder.RecordsBuilder):
  """Without a BuilderConfig: there is one such data set per data directory."""

  RANKS = RANKS
  DESCRIPTION = ("Coding sequences evolved down a taxonomic tree by a codon model. "
                 "bases: A, C, G, T, N; <rank>: name, empty if absent; <rank>_id: line "
                 "of labels/<rank>.txt from 0, -1 if absent.")
