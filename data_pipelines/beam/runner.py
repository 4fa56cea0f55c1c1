"""Apache Beam with the options of a command, or one line that says why not."""

import contextlib

from dnajax.shell import errors


def parse(options):
  """The options as Beam's PipelineOptions; it ignores those it does not know.

  Args:
    options: list such as ["--runner=DirectRunner"].

  Raises:
    UserError: Beam is not installed, or refuses the options.
  """
  try:
    from apache_beam.options import pipeline_options
  except ImportError as error:
    raise errors.UserError(
        "Reading on Apache Beam needs it: pip install 'dnajax[beam]'.") from error
  with _refusals(options):
    parsed = pipeline_options.PipelineOptions(list(options))
    parsed.get_all_options()              # where it notices
  return parsed


@contextlib.contextmanager
def pipeline(options):
  """A beam.Pipeline that runs at the end of the with-block. options, errors: as `parse`."""
  parsed = parse(options)
  import apache_beam as beam
  with _refusals(options):
    made = beam.Pipeline(options=parsed)
  with made:
    yield made


@contextlib.contextmanager
def _refusals(options):
  try:
    yield
  except (SystemExit, ValueError) as error:
    why = "a value is missing" if isinstance(error, SystemExit) else error
    raise errors.UserError(f"Beam refuses --beam_options={' '.join(options)}: {why}") from None
