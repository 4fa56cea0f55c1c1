"""TFDS builder: windows of a genome."""

from data_pipelines import builder


class Genome(builder.RecordsBuilder):
  """One BuilderConfig per prepared genome; its name is the flag --name."""

  RANKS = ("contig",)
  DESCRIPTION = ("Windows of contigs. bases: upper-case IUPAC letters without N; id: "
                 "CONTIG:FIRST-LAST, positions in the contig from 1; contig_id: line of "
                 "labels/contig.txt from 0.")
