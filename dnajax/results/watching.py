"""What an evaluation adds to the TensorBoard folder of its run."""

import importlib.util

from dnajax.evaluators import drawn
from dnajax.workdir.dashboards import dashboard, projector, tensorboard


def write(workdir, one, *, say=print):
  """Writes figures, where tensorboardX is installed, and projector files.

  The report is what counts: if this fails, that is said and nothing more.

  Args:
    workdir: of the run.
    one: what `measure.evaluate` returned.
    say: called with a line per what was written, or why not.
  """
  try:
    path = projector.write(workdir, one.get("points", {}))
    if path is not None:
      say(f"wrote {path}")
    if one.get("figures") and importlib.util.find_spec(tensorboard.TensorBoard.package):
      board = tensorboard.TensorBoard(dashboard.Run(
          workdir=workdir, id="", is_new=False, project="", config={}))
      board.draw(one["run"]["step"], {
          f"figures/{name}": drawn.pixels(figure) for name, figure in one["figures"].items()})
      board.close()
      say(f"wrote {len(one['figures'])} figures to {tensorboard.directory(workdir)}")
  except Exception as error:
    say(f"warning: nothing was added to {tensorboard.directory(workdir)}: {error}")
