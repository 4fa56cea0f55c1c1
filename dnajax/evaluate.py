"""Evaluators on a finished or running workdir: `python -m dnajax.evaluate`.

Puts the trained encoder beside the same encoder before training and beside
k-mer counts, and writes WORKDIR/report/: results.json, report.md, figures. For TensorBoard,
figures and features also go to WORKDIR/tensorboard/.
"""

from absl import app, flags, logging
from ml_collections import config_flags

from dnajax.shell import command_line, errors

FLAGS = flags.FLAGS


def define_flags():
  """Flags of the command; not at import, where several commands would clash."""
  flags.DEFINE_string("workdir", None, "Directory of a training run, or of several seeds.")
  flags.DEFINE_list("evals", [], "Names in config.evals; default all.")
  config_flags.DEFINE_config_file(
      "evals_from", None, "Config file whose evals are used instead of those of the run.")
  flags.DEFINE_string(
      "step", "best", "Checkpoint to use: best (of config.checkpoint.best; the latest if that "
      "names nothing), latest, or a number.")
  flags.DEFINE_string(
      "data_dir", None, "Where the prepared data lies, if not in config.data.dir.")
  flags.DEFINE_list("mesh", [], command_line.MESH_HELP)


@errors.exit_cleanly
def main(argv):
  """Flags -> report."""
  if argv[1:]:
    raise errors.UserError(f"Unexpected arguments: {' '.join(argv[1:])}.")
  if not FLAGS.workdir:
    raise errors.UserError("--workdir is missing. See --help.")
  logging.set_verbosity(logging.WARNING)
  from dnajax.devices import host_memory  # here and below: --help need not wait for it
  host_memory.keep_freed_memory_on_cpu()
  from dnajax.config import overrides
  from dnajax.results import measure, report, watching
  entries = None
  if FLAGS.evals_from is not None:
    entries = overrides.apply(*command_line.read_config(FLAGS.evals_from, "evals_from"))["evals"]
  found = measure.evaluate_all(
      FLAGS.workdir, evals=FLAGS.evals, entries=entries, step=FLAGS.step,
      data_dir=FLAGS.data_dir, mesh=command_line.mesh(FLAGS.mesh))
  report.write_evaluated(FLAGS.workdir, found)
  for workdir, one in found:
    watching.write(workdir, one)


if __name__ == "__main__":
  define_flags()
  app.run(main, flags_parser=command_line.parse_flags)
