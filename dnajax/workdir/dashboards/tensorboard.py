"""TensorBoard, with tensorboardX: event files in WORKDIR/tensorboard."""

import uuid

from dnajax.shell import files
from dnajax.workdir.dashboards import dashboard


class TensorBoard(dashboard.Dashboard):
  """Scalars and pictures in event files."""

  package = "tensorboardX"

  def __init__(self, run):
    import tensorboardX  # optional

    # Of a new run, readers forget what earlier files of the folder hold.
    self._writer = tensorboardX.SummaryWriter(
        str(directory(run.workdir)), purge_step=0 if run.is_new else None,
        filename_suffix=f".{uuid.uuid4().hex[:8]}")  # else two of one second overwrite

  def write(self, step, values):
    """Every value as a scalar."""
    for name, value in values.items():
      self._writer.add_scalar(name, value, step)
    self._writer.flush()

  def draw(self, step, images):
    """Every picture."""
    for name, image in images.items():
      self._writer.add_image(name, image, step, dataformats="HWC")
    self._writer.flush()

  def close(self):
    """Closes the file."""
    self._writer.close()


def directory(workdir):
  """Where `tensorboard --logdir` finds what belongs to a run."""
  return files.path(workdir) / "tensorboard"
