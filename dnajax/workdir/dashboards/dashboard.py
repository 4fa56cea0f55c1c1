"""What every dashboard is, and what it is told of the run."""

import dataclasses
import json
import re
import uuid
from typing import Any

from dnajax.shell import files


@dataclasses.dataclass(frozen=True)
class Run:
  """A run as a dashboard knows it.

  Attributes:
    workdir: of the run.
    id: its name on the dashboard, the same over all resumptions.
    is_new: no checkpoint is gone on from.
    project: that the dashboard lists it under.
    config: nested dict, complete.
  """
  workdir: Any
  id: str
  is_new: bool
  project: str
  config: dict


class Dashboard:
  """Base of the dashboards; all methods run in a thread of its own, see `background`."""

  package = ""  # to be installed, as it is called at import and in setup.py's extras

  def __init__(self, run):
    """run: Run. Begins it, or goes on with the one of the same id."""

  def write(self, step, values):
    """Takes {name: float} of a step; may be called again with it, steps never fall."""
    raise NotImplementedError

  def draw(self, step, images):
    """Takes {name: [H, W, 3] uint8} of a step; one that shows no pictures drops them."""

  def close(self):
    """Sends what is left, if anything is kept back."""


class Logged(Dashboard):
  """One whose package has a run that takes rows; `_run` and `_images` are set at the start."""

  def write(self, step, values):
    """One row."""
    self._run.log(values, step=step)

  def draw(self, step, images):
    """Pictures in the row of the step."""
    self._run.log({name: self._images(image) for name, image in images.items()}, step=step)

  def close(self):
    """Waits until all is stored or sent."""
    self._run.finish()


class Sent:
  """What a dashboard has been given, in WORKDIR/dashboards/NAME.json.

  A killed run has reported more than its last checkpoint holds; resumed, it makes the
  same values again.
  """

  def __init__(self, workdir, name, *, is_new):
    """is_new: begins again with another id."""
    self._path = files.path(workdir) / "dashboards" / f"{name}.json"
    self._step, self._names = -1, set()
    # The folder is what people know; what is random keeps two of one name apart.
    folder = re.sub(r"[^\w.-]", "-", files.absolute(workdir).name)[-80:]
    self.id = f"{folder}-{uuid.uuid4().hex[:8]}"
    if not is_new:
      self._read()

  def _read(self):
    try:
      found = json.loads(self._path.read_text("utf-8"))
      self.id, self._step = str(found["id"]), int(found["step"])
      self._names = set(found["names"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
      pass  # none, or damaged: another run on the dashboard, which hurts nobody

  def new(self, step, values):
    """The items of {name: value} that were not given before."""
    return {name: value for name, value in values.items()
            if step > self._step or step == self._step and name not in self._names}

  def add(self, step, names):
    """Remembers that these were given."""
    if step > self._step:
      self._names = set()
    self._step = max(step, self._step)
    self._names |= set(names)
    self.save()

  def save(self):
    """Writes the file."""
    self._path.parent.mkdir(parents=True, exist_ok=True)
    files.write_text(self._path, json.dumps(
        {"id": self.id, "step": self._step, "names": sorted(self._names)}) + "\n")
