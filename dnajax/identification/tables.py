"""`identify --compare`: what several methods make of the same library, as a table."""

import numpy as np

from data_pipelines import sequences
from dnajax.identification import comparison, novelty
from dnajax.identification import references as references_lib
from dnajax.shell import errors, files

_COLUMNS = ("method", "rank", "accuracy", "auroc_unknown", "calibration_error", "queries",
            "queries_unknown", "queries_per_second", "threads")


def compare(made, queries, wanted, *, methods=comparison.METHODS, threads=None, others=None,
            say=print):
  """Rows of a table.

  Args:
    made: identifier.Identifier.
    queries: list of str, cleaned.
    wanted: {rank: [Q]}, see `comparison.measure`.
    methods: of comparison.METHODS.
    threads: of programs; default all cores.
    others: {workdir: features} that are compared too.
    say: called with a line for each method.

  Returns:
    List of dicts with the keys of a table; a method that cannot run has none.
  """
  rows = []
  for method in (*methods, *(others or {})):
    answers, reason = comparison.answer(made, queries, method, threads=threads, others=others)
    name = comparison.how(method, made)
    if answers is None:
      say(f"{name}: {reason}")
      continue
    found = comparison.measure(answers, wanted)
    say(f"{name}: " + ", ".join(
        f"{rank} {one['accuracy']:.1%}" for rank, one in found.items() if one["num"])
        + f"; {len(queries) / answers.seconds:,.0f} queries/s")
    rows += [dict(method=name, rank=rank, accuracy=one["accuracy"], auroc_unknown=one["auroc"],
                  calibration_error=one["calibration_error"], queries=one["num"],
                  queries_unknown=one["num_unknown"],
                  queries_per_second=len(queries) / answers.seconds,
                  threads=comparison.threads(threads)) for rank, one in found.items()]
  return rows


def named_queries(made, path, columns=None, *, header_pattern=None, **limits):
  """(cleaned sequences, {rank: [Q] numbers}) of queries whose names are known; limits: of
  `sequences.read`.

  Raises:
    UserError: they have none.
  """
  texts, lineages = [], []
  for record in sequences.read(path, columns, header_pattern=header_pattern, **limits):
    fields = references_lib.lineage(record)
    texts.append(made.cleaning.clean(record.sequence).decode("ascii", "replace"))
    lineages.append(fields)
  if not any(any(one.get(rank) for rank in made.references.ranks) for one in lineages):
    raise errors.UserError(f"{path} has no names of {', '.join(made.references.ranks)}: with "
                           "--compare the names of the queries must be known.")
  return texts, novelty.number(made.references, lineages)


def write(path, rows):
  """Writes the table; NaN is an empty cell."""
  lines = ["\t".join(_COLUMNS)]
  for row in rows:
    lines.append("\t".join(_cell(row[column]) for column in _COLUMNS))
  files.write_text(path, "\n".join(lines) + "\n")


def _cell(value):
  if isinstance(value, float):
    return "" if np.isnan(value) else f"{value:.4g}"
  return str(value)
