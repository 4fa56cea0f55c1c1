"""Weights & Biases."""

from dnajax.shell import files
from dnajax.workdir.dashboards import background, dashboard


class WeightsAndBiases(dashboard.Logged):
  """A run on the server that `wandb login` knows; WANDB_MODE=offline: files only."""

  package = "wandb"

  def __init__(self, run):
    import wandb  # optional

    self._images = wandb.Image
    workdir = files.absolute(run.workdir)
    self._run = wandb.init(
        project=run.project, id=run.id, name=run.id, resume="allow", config=run.config,
        dir=None if files.is_remote(workdir) else str(workdir),
        # The console is the run's own, and nobody sits there to be asked for a key. With
        # no network wandb keeps the process alive until these times are over (90 s, ever).
        settings={"console": "off", "login_timeout": 1.0,
                  "init_timeout": background.CLOSE_SECONDS,
                  "finish_timeout": background.CLOSE_SECONDS})
