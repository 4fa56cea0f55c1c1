"""What a writer of embeddings is, and what it is told about them."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Layout:
  """What every row has.

  Attributes:
    width: D, numbers of an embedding.
    dtype: "float32" or "float16".
    columns: names of the texts that come with every id.
    is_per_token: whether a row has several embeddings.
    about: dict that says where the numbers come from; kept where a format has room.
  """
  width: int
  dtype: str = "float32"
  columns: tuple = ()
  is_per_token: bool = False
  about: dict = dataclasses.field(default_factory=dict)


class Writer:
  """Writes rows to the first of its files, and what belongs to them to the others."""
  has_tokens = False   # whether a row may have several embeddings

  @staticmethod
  def beside(path):
    """The other files of an output, a tuple of paths."""
    del path
    return ()

  @staticmethod
  def check():
    """UserError if a package is missing."""

  def __init__(self, paths, layout):
    """paths: of the output and of `beside`. layout: a `Layout`."""

  def write(self, ids, embeddings, fields=()):
    """Adds n rows.

    Args:
      ids: n names.
      embeddings: [n, D] float32; of tokens, n arrays [K, D].
      fields: n dicts {column: text}; () for none.
    """
    raise NotImplementedError

  def finish(self):
    """Called once after the last row, unless something went wrong."""

  def close(self):
    """Called once at the end, whatever happened."""


def one_line(text):
  """A text without the characters that separate lines and columns."""
  text = str(text)
  return " ".join(text.split()) if any(c in text for c in "\t\n\r") else text
