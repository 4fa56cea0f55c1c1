"""trackio: a dashboard on this machine, `trackio show`."""

from dnajax.workdir.dashboards import dashboard


class Trackio(dashboard.Logged):
  """A run in trackio's own folder of this machine (TRACKIO_DIR)."""

  package = "trackio"

  def __init__(self, run):
    import trackio  # optional

    self._images = trackio.Image
    self._run = trackio.init(project=run.project, name=run.id, resume="allow",
                             config=run.config, embed=False)
