"""What every writer is: where a run puts its values."""


class Writer:
  """Base of the writers; a new one is a class and a line in the registry."""

  draws = False  # whether it wants pictures, which take time to make

  def write(self, step, metrics):
    """Takes values.

    Args:
      step: updates done.
      metrics: list of Metrics.
    """
    raise NotImplementedError

  def draw(self, step, images):
    """Takes pictures; images: {name: [H, W, 3] uint8}."""

  def close(self):
    """Called once, when the run ends in whatever way."""
