"""TFDS builder: windows of the simulated genome."""

from data_pipelines.genome import builder


class SimulatedGenome(builder.Genome):
  """Without a BuilderConfig: there is one such data set per data directory.

  genome.fa.gz and motifs.tsv lie beside the records.
  """
