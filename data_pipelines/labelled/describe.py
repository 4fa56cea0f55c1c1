"""The classes and leaks of a labelled data set in plain words."""

import itertools

from data_pipelines.labelled import survey

_MOST_CLASSES = 12            # longer lists are cut on the console, not in the summary


def describe(summary):
  """What there is to know before training and testing on it, as text for the console.

  Args:
    summary: as `ingest.prepare` returns it.
  """
  splits = summary["splits"]
  training = [name for name in splits if survey.is_training(name)]
  out = list(_class_lines(splits))
  for name, split in splits.items():
    for other, count in split["also_in"].items():
      out.append(_overlap(name, split, other, count, len(training)))
    if split["num_contradictory"]:
      out.append(f"Sequences of {name} that occur with more than one class: "
                 f"{split['num_contradictory']:,}.")
  known = {label for name in training for label in splits[name]["classes"]}
  for name in splits:
    new = sorted(set(splits[name]["classes"]) - known)
    if training and new:
      out.append(f"Classes of {name} that no training split has: "
                 f"{', '.join(new[:_MOST_CLASSES])}.")
  if not training:
    out.append("There is no training split. Who trains on another one has to say so: such "
               "figures are not those of the published setting.")
  return "\n".join(out)


def _class_lines(splits):
  """One line per split; training sets with equal classes, such as ten, share one."""
  def group(name):
    return ("" if survey.is_training(name) else name, list(splits[name]["classes"].items()))

  for (_, classes), names in itertools.groupby(splits, group):
    names = list(names)
    total = sum(count for _, count in classes)
    shares = [f"{label}: {count:,} ({count / total:.1%})" for label, count in classes]
    more = len(shares) - _MOST_CLASSES
    line = ", ".join(shares[:_MOST_CLASSES]) + (f" and {more} more" if more > 0 else "")
    if len(names) > 1:
      yield f"classes of each of {names[0]} .. {names[-1]}: {line}"
    else:
      yield (f"classes of {names[0]}: {line}; {splits[names[0]]['num_distinct']:,} different "
             "sequences")


def _overlap(name, split, other, count, num_training):
  where = f"the {num_training} training sets" if other == "train" and num_training > 1 else other
  if not count:
    return f"No sequence of {name} occurs in {where}."
  share = count / split["num_distinct"]
  return (f"{count:,} of the {split['num_distinct']:,} different sequences of {name} occur in "
          f"{where} too ({share:.1%})."
          + (f" Choose no model on one and report the other: {name} is hardly more than {where}."
             if share > 0.5 and other != "train" else ""))
