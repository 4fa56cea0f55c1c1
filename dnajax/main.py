"""Train an encoder: flags -> train or dry run.

python -m dnajax.main --config=configs/barcodemae.py[:variant] --workdir=DIR

The same command again resumes. Everything about the science is in the config;
--config.a.b=value changes one value, --config.masking.selection.name=gene_mask a part.
Ends with 0 when the run is finished, 2 when something is wrong, 42 when it should be started
again: it was asked to stop (SIGTERM) and has saved, or another of its processes has gone.
"""

import sys

from absl import app, flags, logging
from ml_collections import config_flags

from dnajax.shell import command_line, errors

_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "Config file, with a variant after a colon if wanted.")
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Directory of the run: checkpoints, metrics, log.")
_DRY_RUN = flags.DEFINE_bool(
    "dry_run", False, "Compile the step from shapes, say what would happen, stop.")
_MESH_REPORT = flags.DEFINE_bool(
    "mesh_report", False, "With --dry_run: collectives, bytes, memory and estimated time of "
    "an update on config.mesh, for which the machine need not have the devices.")
_DEVICES = flags.DEFINE_integer(
    "devices", 8, "Devices that --mesh_report takes a -1 in config.mesh to mean in all.",
    lower_bound=1)
_PROFILE_STEPS = flags.DEFINE_integer(
    "profile_steps", 0, "Updates to trace into WORKDIR/profile.")
_SEEDS = flags.DEFINE_list(
    "seeds", [], "Several runs, one for each of these seeds, in WORKDIR/seed_N; then "
    "WORKDIR/report has their means and spreads.")
_DISTRIBUTED = flags.DEFINE_bool(
    "distributed", False,
    "One of several processes (TPU pod, SLURM, or JAX_COORDINATOR_ADDRESS, "
    "JAX_NUM_PROCESSES and JAX_PROCESS_ID set). Ends when another one is gone.")


@errors.exit_cleanly
def main(argv):
  """Runs the command."""
  if len(argv) > 1:
    raise errors.UserError(f"Unknown argument {argv[1]!r}; flags start with --.")
  values, overrides = command_line.read_config(_CONFIG.value, "config")
  if _WORKDIR.value is None and not _DRY_RUN.value:
    raise errors.UserError("Give --workdir=DIR, the directory of the run.")
  if _MESH_REPORT.value and not _DRY_RUN.value:
    raise errors.UserError("--mesh_report trains nothing: give --dry_run too.")
  logging.set_verbosity(logging.WARNING)
  from dnajax.devices import host_memory  # here and below: --help need not wait for it
  host_memory.keep_freed_memory_on_cpu()
  if _DISTRIBUTED.value:
    from dnajax.devices import start_up
    from dnajax.training import stopping
    with start_up.joined(stopping.EXIT_CODE):
      _train(values, overrides)
  else:
    _train(values, overrides)


def _train(values, overrides):
  from dnajax.config import overrides as overrides_lib
  from dnajax.training import run, stopping
  values = overrides_lib.apply(values, overrides)
  if _MESH_REPORT.value:
    from dnajax.training import mesh_report
    print(mesh_report.report(values, _DEVICES.value))
    return
  if _DRY_RUN.value:
    run.dry_run(values)
    return
  if _SEEDS.value:
    from dnajax.results import several_seeds
    is_finished = several_seeds.train(values, _WORKDIR.value,
                                      several_seeds.parse(_SEEDS.value))
  else:
    last, total = run.run(values, _WORKDIR.value, profile_steps=_PROFILE_STEPS.value)
    is_finished = last >= total
  if not is_finished:
    sys.exit(stopping.EXIT_CODE)


if __name__ == "__main__":
  app.run(main, flags_parser=command_line.parse_flags)
