"""Which dashboards a run has, and their start."""

import functools
import importlib.util

from dnajax.config import registry
from dnajax.shell import errors
from dnajax.workdir.dashboards import background, dashboard

_IF_INSTALLED = "tensorboard"  # files beside the others; asks nobody for anything


def check(names):
  """Refuses names of config.log.dashboards.

  Raises:
    UserError: one is unknown, or its package is not installed.
  """
  known = registry.of("dashboard")
  for name in names:
    if name not in known.entries:
      raise errors.UserError(f"config.log.dashboards={','.join(names)}: no dashboard {name!r}. "
                             f"Known: {', '.join(known.names)}.")
    package = known(name).package
    if not _is_installed(package):
      raise errors.UserError(
          f"config.log.dashboards={','.join(names)} needs the package {package}, which is "
          f"not installed: pip install 'dnajax[{name}]'")


def open_dashboards(workdir, *, names, project, config, first_step, say):
  """Starts the dashboards of a run, each in the background.

  Args:
    workdir: of the run.
    names: in the registry, checked; TensorBoard comes by itself where it is installed.
    project: that they list the run under.
    config: nested dict, complete.
    first_step: step the run resumes at, None for a new run.
    say: called with a line if one fails.

  Returns:
    List of background.Background.
  """
  known, made = registry.of("dashboard"), []
  for name in dict.fromkeys([_IF_INSTALLED, *names]):
    cls = known(name)
    if not _is_installed(cls.package):
      continue
    sent = dashboard.Sent(workdir, name, is_new=first_step is None)
    run = dashboard.Run(workdir=workdir, id=sent.id, is_new=first_step is None,
                        project=project, config=config)
    made.append(background.Background(
        name, cls.package, functools.partial(cls, run), sent, say=say))
  return made


def _is_installed(package):
  try:
    return importlib.util.find_spec(package) is not None
  except ValueError:  # in sys.modules without a spec
    return False
