"""Where reported values go: JSON lines (the record), console, TensorBoard."""

import json
import os
import pathlib
import time

from dnajax import files


class JsonLines:
  """Appends one row per call to `metrics.jsonl`; the record of a run."""

  def __init__(self, path, *, first_step=None):
    """path: the file. first_step: step the run resumes at, None for a new run.

    Rows behind `first_step` were written by an interrupted run after its last
    checkpoint; they are taken out, because the run will write them again.
    """
    self._path = pathlib.Path(path)
    if self._path.exists():
      kept = [row for row in read_rows(self._path)
              if first_step is not None and row["step"] <= first_step]
      files.write_text(self._path,
                       "".join(json.dumps(row) + "\n" for row in kept))
    self._file = open(self._path, "a", buffering=1)

  def write(self, step, values):
    """Writes one row and waits until it is on the disk."""
    self._file.write(json.dumps({"step": step, "time": time.time(), **values})
                     + "\n")
    self._file.flush()
    os.fsync(self._file.fileno())


def read_rows(path):
  """Rows of a metrics.jsonl; a last line cut off by a kill is left out."""
  rows = []
  for line in pathlib.Path(path).read_text("utf-8").splitlines():
    try:
      rows.append(json.loads(line))
    except ValueError:
      continue
  return rows


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


class Console:
  """One line per report on the terminal and in `log.txt`."""

  def __init__(self, path, total_steps):
    self._file = open(path, "a", buffering=1)
    self._total_steps = total_steps

  def say(self, text):
    """A line for people."""
    print(text, flush=True)
    self._file.write(text + "\n")

  def write(self, step, values):
    """Step, share done, time left if known, then the values that change."""
    left = values.get("speed/seconds_left")
    parts = [f"step {step}/{self._total_steps} "
             f"{100 * step / self._total_steps:3.0f} %"]
    if left is not None:
      parts.append(f"{_clock(left)} left")
    parts += [f"{name.removeprefix('train/')} {value:.4g}"
              for name, value in values.items()
              if name.rpartition("/")[2] not in _QUIET]
    self.say(" · ".join(parts))


# In metrics.jsonl only: the same in every row, or of interest when something is odd.
_QUIET = ("seconds_left", "learning_rate", "share", "kept_share", "kept_overflow",
          "scored_overflow", "hidden_share", "tokens_per_second", "macro_accuracy",
          "num_tokens", "num_keys", "num_queries", "hard_share", "switch_step",
          "smallest_change", "phase", "rate_factor", "num_unknown_labels",
          "num_unlabelled_keys", "num_unlabelled_queries", "perplexity",
          "majority_share", "macro_f1", "num_records", "num_train", "num_labels",
          "num_clusters", "num_without_hit", "is_converged", "chosen_C", "num_shared")


class TensorBoard:
  """Scalars for TensorBoard, if tensorboardX is installed."""

  def __init__(self, directory):
    import tensorboardX  # optional

    self._writer = tensorboardX.SummaryWriter(str(directory))

  def write(self, step, values):
    """Writes every value as a scalar."""
    for name, value in values.items():
      self._writer.add_scalar(name, value, step)
    self._writer.flush()


def optional_writers(workdir):
  """The writers whose packages are installed."""
  try:
    return [TensorBoard(pathlib.Path(workdir) / "tensorboard")]
  except ImportError:
    return []


def _clock(seconds):
  minutes, seconds = divmod(int(seconds), 60)
  hours, minutes = divmod(minutes, 60)
  return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
