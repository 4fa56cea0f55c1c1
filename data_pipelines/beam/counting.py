"""n-grams of many files, counted on Apache Beam: a file is what one worker counts."""

import tempfile

import numpy as np

from data_pipelines import formats, ngrams
from data_pipelines.beam import runner
from dnajax.shell import errors


def count(paths, options):
  """As ngrams.count.

  Args:
    paths: FASTA files that all workers see.
    options: list of Beam options, such as "--runner=DirectRunner".

  Returns:
    ngrams.Counts.

  Raises:
    UserError: of the first file that is wrong, or of the options.
  """
  for path in paths:
    formats.require_fasta(path)
  chosen = runner.parse(options)
  import apache_beam as beam
  from apache_beam.io import filesystems
  from apache_beam.options import pipeline_options

  shared = chosen.view_as(pipeline_options.GoogleCloudOptions).temp_location
  with tempfile.TemporaryDirectory() as here:
    target = f"{shared or here}/counts-{np.random.default_rng().integers(1 << 62):x}.npz"
    with runner.pipeline(options) as pipeline:
      _ = (pipeline | beam.Create(list(enumerate(paths))) | beam.Reshuffle()
           | "Count" >> beam.Map(_count_one) | beam.CombineGlobally(_join)
           | "Write" >> beam.Map(_write, target=target))
    with filesystems.FileSystems.open(target) as file, np.load(file) as found:
      wrong, numbers = str(found["wrong"]), found["numbers"].tolist()
      of = {n: found[f"of{n}"] for n in range(1, ngrams.LONGEST + 1)}
    filesystems.FileSystems.delete([target])
  if wrong:
    raise errors.UserError(wrong)
  return ngrams.Counts(of, *numbers)


def _count_one(numbered):
  """{"wrong": {number: message}, "numbers": [3], "of": counts}, which _join adds."""
  number, path = numbered
  try:
    counts = ngrams.count([path], num_threads=1, show_progress=False)
  except errors.UserError as error:
    return {"wrong": {number: str(error)}, "numbers": np.zeros(3, np.int64), "of": None}
  return {"wrong": {}, "of": counts.of, "numbers": np.array(
      [counts.num_records, counts.num_letters, counts.num_unknown], np.int64)}


def _join(found):
  total = {"wrong": {}, "numbers": np.zeros(3, np.int64), "of": None}
  for one in found:
    total["wrong"].update(one["wrong"])
    total["numbers"] = total["numbers"] + one["numbers"]
    if one["of"] is not None:
      total["of"] = one["of"] if total["of"] is None else {
          n: total["of"][n] + one["of"][n] for n in one["of"]}
  return total


def _write(total, target):
  from apache_beam.io import filesystems

  of = total["of"] or {n: np.zeros(1) for n in range(1, ngrams.LONGEST + 1)}
  wrong = total["wrong"]
  with filesystems.FileSystems.create(target) as file:
    np.savez(file, wrong=wrong[min(wrong)] if wrong else "", numbers=total["numbers"],
             **{f"of{n}": table for n, table in of.items()})
