"""Arrays about the same queries, which are taken and put together row by row."""

import dataclasses

import numpy as np


class Columns:
  """Base of dataclasses whose fields are all arrays [n, …]."""

  def __getitem__(self, rows):
    """The same of some of the rows."""
    return type(self)(*(getattr(self, field.name)[rows] for field in dataclasses.fields(self)))


def concatenate(parts):
  """Columns, all of one class and at least one of them, one after the other."""
  return type(parts[0])(*(np.concatenate([getattr(one, field.name) for one in parts])
                          for field in dataclasses.fields(parts[0])))
