"""One report over several evaluated runs: `python -m dnajax.report --workdirs=a,b,c`."""

from absl import app, flags

from dnajax.shell import command_line, errors

FLAGS = flags.FLAGS


def define_flags():
  """Flags of the command; not at import, where several commands would clash."""
  flags.DEFINE_list("workdirs", [], "Evaluated training runs, comma separated.")
  flags.DEFINE_string("output", "report", "Directory to write.")


@errors.exit_cleanly
def main(argv):
  """Flags -> report over several runs."""
  if argv[1:] or not FLAGS.workdirs:
    raise errors.UserError("Give --workdirs=a,b,c, separated by commas only.")
  from dnajax.results import report
  report.write_several(FLAGS.workdirs, FLAGS.output)


if __name__ == "__main__":
  define_flags()
  app.run(main, flags_parser=command_line.parse_flags)
