"""The data set of a run: found, or generated where it can be."""

from dnajax.data import records
from dnajax.devices import processes
from dnajax.shell import errors


def directory(data, *, say=print):
  """Directory of config.data's newest version; generates it if it is absent and may be.

  Args:
    data: experiment.Data.
    say: called with a line when data are made.

  Returns:
    Path.

  Raises:
    UserError: there is none; names the command that prepares it.
  """
  if data.is_generated:
    # All processes take this way, whatever each of them sees already.
    processes.on_first_process(lambda: _generate_if_absent(data, say))
  return records.find(data.dir, data.name)


def _generate_if_absent(data, say):
  try:
    records.find(data.dir, data.name)
  except errors.UserError:
    from data_pipelines import prepare  # only where data must be made
    say(f"Generating data set {data.name} in {data.dir}.")
    prepare.prepare_generated(data.name, data.dir)
