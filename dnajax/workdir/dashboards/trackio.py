"""trackio: a dashboard on this machine, `trackio show`."""

from dnajax.workdir.dashboards import dashboard


class Trackio(dashboard.Dashboard):
  """A run in trackio's own folder of this machine (TRACKIO_DIR)."""

  package = "trackio"

  def __init__(self, run):
    import trackio  # optional

    self._images = trackio.Image
    self._run = trackio.init(project=run.project, name=run.id, resume="allow",
                             config=run.config, embed=False)

  def write(self, step, values):
    """One row."""
    self._run.log(values, step=step)

  def draw(self, step, images):
    """Pictures in a row of the step."""
    self._run.log({name: self._images(image) for name, image in images.items()}, step=step)

  def close(self):
    """Waits until all is stored."""
    self._run.finish()
