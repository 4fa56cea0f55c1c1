"""A folder of Hugging Face where a workdir is asked for."""

import contextlib
import os
import tempfile

from dnajax.hugging_face import sources
from dnajax.shell import files


@contextlib.contextmanager
def as_workdir(path):
  """Yields a workdir: the path, or what its weights of Hugging Face were turned into.

  That one is gone afterwards. Errors as of `importing.convert`.
  """
  folder = files.path(path)
  if (folder / "checkpoints").exists() or not any(
      (folder / name).exists() for name in sources.WEIGHTS):
    yield path
    return
  from dnajax.hugging_face import claims, importing  # what a workdir need not wait for
  with tempfile.TemporaryDirectory(prefix="dnajax-") as parent:
    made = os.path.join(parent, "workdir")
    importing.convert(path, made, claims.Claims(), say=lambda line: None)
    yield made
