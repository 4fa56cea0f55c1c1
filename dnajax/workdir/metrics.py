"""Where reported values go: JSON lines (the record), console, dashboards."""

import json
import time

from dnajax.config import registry
from dnajax.shell import errors, files
from dnajax.workdir import writer
from dnajax.workdir.dashboards import start


def open_writers(workdir, *, total_steps, first_step, log=None, config=None):
  """The writers of a run: all in the registry, and the dashboards.

  Args:
    workdir: exists.
    total_steps: of the whole run.
    first_step: step the run resumes at, None for a new run.
    log: config.log, which names the dashboards; None: there are none.
    config: nested dict that they show.

  Returns:
    (list of writer.Writer, function that says a line to people).
  """
  made, say = [], print
  known = registry.of("writer")
  for name in known.entries:
    made.append(known(name)(workdir, total_steps=total_steps, first_step=first_step))
    say = getattr(made[-1], "say", say)
  if log is not None:
    made += start.open_dashboards(workdir, names=log.dashboards, project=log.project,
                                  config=config, first_step=first_step, say=say)
  return made, say


class JsonLines(writer.Writer):
  """Appends one row per call to `metrics.jsonl`; the record of a run."""

  def __init__(self, workdir, *, total_steps, first_step):
    """Opens the file.

    Rows behind `first_step` were written by an interrupted run after its last
    checkpoint; they are taken out, because the run will write them again.
    """
    del total_steps
    rows = read_rows(path(workdir))
    if rows:
      kept = [row for row in rows if first_step is not None and row["step"] <= first_step]
      files.write_text(path(workdir), "".join(json.dumps(row) + "\n" for row in kept))
    self._file = files.Appended(path(workdir))

  def write(self, step, metrics):
    """Writes one row, {"step", "time", name: value}, and waits until it is stored."""
    self._file.add(json.dumps({"step": step, "time": time.time(),
                               **{metric.name: metric.value for metric in metrics}}))


def path(workdir):
  """metrics.jsonl of a workdir."""
  return files.path(workdir) / "metrics.jsonl"


def read_rows(a_path):
  """Rows of a metrics.jsonl; a last line cut off by a kill is left out. [] if it is absent.

  Raises:
    UserError: another line is no row.
  """
  rows = []
  try:
    lines = files.path(a_path).read_bytes().splitlines()
  except FileNotFoundError:
    return rows
  for n, line in enumerate(lines, 1):
    try:
      row = json.loads(line.decode("utf-8"))
      if not isinstance(row["step"], int):
        raise TypeError("step")
    except (ValueError, TypeError, KeyError) as error:
      if n == len(lines):
        break
      raise errors.UserError(f"{a_path}, line {n}, is damaged: it is no row of JSON with a "
                             "step. Delete that line, or move the file away.") from error
    rows.append(row)
  return rows


def lowest(a_path, name, steps):
  """The one of `steps` where a value is lowest; None if no row of theirs has it.

  Args:
    a_path: of a metrics.jsonl.
    name: as "dev/loss". NaN does not count.
    steps: that may be chosen.
  """
  values = {row["step"]: row[name] for row in read_rows(a_path)
            if row.get(name) is not None and row[name] == row[name]}
  return min((step for step in steps if step in values), key=values.get, default=None)


def mean_rows(rows, names, last_step):
  """Means over updates of what rows report as means since the row before.

  Args:
    rows: of a metrics.jsonl, in its order.
    names: which values.
    last_step: rows behind it do not count.

  Returns:
    {name: mean} of those that some row has.
  """
  sums, updates, before = {}, {}, {}
  for row in rows:
    for name in names:
      if name in row and row["step"] <= last_step:
        share = row["step"] - before.get(name, 0)
        before[name] = row["step"]
        sums[name] = sums.get(name, 0.0) + share * row[name]
        updates[name] = updates.get(name, 0) + share
  return {name: total / updates[name] for name, total in sums.items()}


class Console(writer.Writer):
  """One line per report on the terminal and in `log.txt`."""

  def __init__(self, workdir, *, total_steps, first_step):
    del first_step
    self._file = files.Appended(files.path(workdir) / "log.txt")
    self._total_steps = total_steps

  def say(self, text):
    """A line for people."""
    print(text, flush=True)
    self._file.add(text)

  def write(self, step, metrics):
    """Step, share done, time left if known, then the values that are to be shown."""
    left = [metric.value for metric in metrics if metric.name == "speed/seconds_left"]
    words = [f"step {step}/{self._total_steps} {100 * step / self._total_steps:3.0f} %",
             *(f"{_clock(seconds)} left" for seconds in left)]
    words += [f"{metric.name.removeprefix('train/')} {_shown(metric)}" for metric in metrics
              if metric.is_shown and metric.name != "speed/seconds_left"]
    self.say(" · ".join(words))


def _shown(metric):
  if metric.value != metric.value:
    return "nan"
  if metric.unit == "share":
    return f"{100 * metric.value:.2f} %"
  if metric.unit in ("count", "per_second"):
    return f"{metric.value:,.0f}"
  return _clock(metric.value) if metric.unit == "seconds" else f"{metric.value:.4g}"


def _clock(seconds):
  minutes, seconds = divmod(int(seconds), 60)
  hours, minutes = divmod(minutes, 60)
  return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
