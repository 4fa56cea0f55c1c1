"""TFDS builder: barcodes with taxonomy and the splits of their file."""

from data_pipelines import builder, presets


class Barcodes(builder.RecordsBuilder):
  """One BuilderConfig per prepared file; its name is the flag --name."""

  RANKS = presets.RANKS
  DESCRIPTION = ("DNA barcodes with taxonomy. bases: upper-case IUPAC letters; "
                 "<rank>: name, empty if absent; <rank>_id: line of "
                 "labels/<rank>.txt from 0, -1 if absent.")
