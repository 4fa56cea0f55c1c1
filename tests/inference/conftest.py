"""The tiny encoder, loaded once."""

import pytest


@pytest.fixture(scope="session")
def tiny_embedder(tiny_workdir):
  """Of dnajax.load."""
  import dnajax
  return dnajax.load(tiny_workdir)
