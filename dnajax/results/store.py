"""What an evaluation of a run measured, on disk: results.json and queries.npz."""

import json
import zipfile

import numpy as np

from dnajax.shell import errors, files

FILE = "results.json"
QUERIES = "queries.npz"  # which queries were right, for comparisons of runs

# Evaluations that agree in these are of the same parameters on the same data.
_SAME = ("step", "seed", "fingerprint", "setting")


def save(directory, found):
  """Writes what `measure.evaluate` returned for one run or several, figures aside.

  Args:
    directory: exists; the files in it are replaced.
    found: what `measure.evaluate` returned, one per run.

  Returns:
    The path of results.json.
  """
  entries = [entry for one in found for entry in one["results"]]
  document = ({"run": found[0]["run"], "results": entries} if len(found) == 1 else
              {"runs": [one["run"] for one in found], "results": entries})
  path = files.path(directory) / FILE
  files.write_text(path, json.dumps(document, indent=2, ensure_ascii=False) + "\n")
  if len(found) == 1 and found[0].get("is_right"):
    files.write_atomically(path.with_name(QUERIES),
                           lambda part: _save_arrays(part, found[0]["is_right"]))
  return path


def _save_arrays(path, arrays):
  with path.open("wb") as file:  # given a name, NumPy would add .npz to it
    np.savez_compressed(file, **arrays)


def load(workdir):
  """What `dnajax.evaluate` wrote into the workdir of a run; no figures.

  Raises:
    UserError: it was not evaluated, or a file is damaged.
  """
  path = files.path(workdir) / "report" / FILE
  try:
    found = json.loads(path.read_text("utf-8"))
    # Is it one of ours?
    found["run"]["setting"], [entry["unit"] for entry in found["results"]]  # noqa: B018
    queries = path.with_name(QUERIES)
    if queries.exists():
      with queries.open("rb") as file, np.load(file) as arrays:
        found["is_right"] = dict(arrays)
    return found
  except FileNotFoundError as error:
    raise errors.UserError(
        f"{workdir} has no report/{FILE}. Make it with: "
        f"python -m dnajax.evaluate --workdir={workdir}") from error
  except (ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
    raise errors.UserError(
        f"{path} is damaged ({error}). Make it again with: "
        f"python -m dnajax.evaluate --workdir={workdir}") from error


def with_earlier(workdir, one):
  """Adds what the workdir's report holds of other evaluators, of the same checkpoint.

  So evaluators can be run one after the other. An evaluator that ran again takes the
  place of what it said before.

  Args:
    workdir: of the run.
    one: what `measure.evaluate` returned.

  Returns:
    `one`, or a copy with more entries.
  """
  try:
    old = load(workdir)
  except errors.UserError:  # none, or nothing to be saved of it
    return one
  if any(old["run"].get(key) != one["run"].get(key) for key in _SAME):
    return one
  by_evaluator = {}
  for found in (old, one):
    of_this = {}
    for entry in found["results"]:
      of_this.setdefault(entry["evaluator"], []).append(entry)
    by_evaluator |= of_this
  again = {entry["evaluator"] for entry in one["results"]}
  kept = {name: right for name, right in old.get("is_right", {}).items()
          if name.split("/")[0] not in again}
  return {**one, "results": sum(by_evaluator.values(), []),
          "is_right": kept | one.get("is_right", {})}
