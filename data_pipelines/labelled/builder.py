"""TFDS builder: sequences with one class each."""

from data_pipelines import builder


class Labelled(builder.RecordsBuilder):
  """One BuilderConfig per prepared table; its name is the flag --name."""

  RANKS = ("label",)
  DESCRIPTION = ("DNA sequences of a classification task. bases: upper-case IUPAC letters; "
                 "label: name of the class; label_id: line of labels/label.txt from 0.")
