"""Evaluators on a finished or running workdir: `python -m dnajax.evaluate`.

Puts the trained encoder beside the same encoder before training and beside
k-mer counts, and writes WORKDIR/report/: results.json, report.md, figures.
"""

import contextlib
import pathlib
import time

from absl import app, flags, logging
from ml_collections import config_flags

from dnajax import command_line, errors, host_memory, seeds
from dnajax.evaluators import names

FLAGS = flags.FLAGS

# Of what an evaluator yields, the first of these is how much was evaluated.
_COUNTS = ("num_queries", "num_records", "num_tokens")
# Names in metrics.jsonl -> names in a report.
_OF_TRAINING = {"masking/share": "selected_share", "masking/hidden_share": "hidden_share",
                "masking/hard_share": "hard_share",
                "masking/mean_pmi_rank": "mean_pmi_rank"}

UNTRAINED, TRAINED = names.UNTRAINED, names.TRAINED


def evaluate(workdir, *, evals=None, entries=None, step=None, data_dir=None, say=print):
  """Runs evaluators of a run's config on one of its checkpoints.

  Evaluators with features="encoder" also run on the parameters the run would
  start from (config.seed, before any update or config.init_from).

  Args:
    workdir: of the run; nothing is written.
    evals: names in config.evals; default all.
    entries: ConfigDict that stands in for config.evals.
    step: which checkpoint; default the newest, or the one with the lowest
      config.checkpoint.best if that names a metric.
    data_dir: where the prepared data lies now; default config.data.dir.
    say: called with a line of progress.

  Returns:
    {"run": {…}, "results": [{run, evaluator, task, features, metric, value, n,
    protocol, fingerprint, step, seed}], "figures": {name: matplotlib Figure},
    "is_right": {"EVALUATOR/FEATURES": [Q] bool}}; run and results are
    JSON-serialisable.

  Raises:
    UserError: workdir, checkpoint, data set or names are wrong.
  """
  from dnajax import checkpointing, partitioning
  from dnajax import config as config_lib
  from dnajax.evaluators import base, features
  if not pathlib.Path(workdir).is_dir():
    raise errors.UserError(
        f"There is no workdir {workdir}. Give the directory that was --workdir "
        "of dnajax.main.")
  best = _best_step(workdir) if step is None else None
  step, params, meta = checkpointing.load_params(
      workdir, best if step is None else step)
  config = config_lib.from_dict(meta["config"])
  if data_dir:
    config.data.dir = data_dir
  if entries is not None:
    config.evals = entries
  chosen = _chosen(config, evals)
  fingerprint = _fingerprint(config, meta, say)
  derived = config_lib.derive(config)
  model = config_lib.build_model(config, derived)
  mesh = features.local_mesh()
  context = base.Context(config=config, derived=derived, model=model, mesh=mesh)
  run = {"name": seeds.run_name(workdir), "step": step,
         "total_steps": config.total_steps, "seed": config.seed,
         "model": config.model.name, "data": config.data.name,
         "fingerprint": fingerprint, "versions": meta["versions"],
         "setting": seeds.setting(meta["config"]), "is_best": best is not None}
  evaluators = {name: base.make(config.evals[name], context) for name in chosen}
  params_of = {UNTRAINED: lambda: initial_params(config, derived, model),
               TRAINED: lambda: params}
  results = [] if evals else _of_training(workdir, run)
  figures, is_right = {}, {}
  with contextlib.nullcontext() if mesh is None else partitioning.use(mesh):
    for kind, load in params_of.items():
      on_device = features.on_devices(load(), mesh)
      for name, evaluator in evaluators.items():
        spec = config.evals[name]
        if kind not in names.kinds(spec, config.evals):
          continue
        label = names.features(spec, kind)
        say(f"evaluating {name}: {label}")
        before = time.perf_counter()
        values = dict(evaluator.run(on_device))
        seconds = time.perf_counter() - before
        # A harmonic mean finds here what it is made of.
        context.cache["values", name] = on_device, values
        at = {UNTRAINED: 0, TRAINED: step}.get(label)
        results += _entries(run, name, spec, label, at, values, evaluator, seconds)
        if kind == TRAINED:
          figures |= _figures(name, evaluator)
        if getattr(evaluator, "is_right", None) is not None:
          is_right[f"{name}/{label}"] = evaluator.is_right
  return {"run": run, "results": results, "figures": figures, "is_right": is_right}


def _figures(name, evaluator):
  """What an evaluator draws of its last run: {file stem: Figure}."""
  if not hasattr(evaluator, "figures"):
    return {}
  try:
    drawn = evaluator.figures()
    return {name if len(drawn) == 1 else f"{name}_{stem}": figure
            for stem, figure in drawn.items()}
  except ImportError:  # no matplotlib, which the report will say
    return {}


def evaluate_all(workdir, *, say=print, **options):
  """`evaluate` of a run, or of each run below a directory that `seeds.train` made.

  Returns:
    List of (workdir, what `evaluate` returned).
  """
  return [(path, evaluate(path, say=say, **options)) for path in seeds.workdirs(workdir)]


def _best_step(workdir):
  """The saved step with the lowest config.checkpoint.best; None if that is not asked."""
  from dnajax import checkpointing
  from dnajax import config as config_lib
  from dnajax.training import metrics
  path, saved = pathlib.Path(workdir) / "metrics.jsonl", checkpointing.saved_steps(workdir)
  name = (path.exists() and saved
          and config_lib.load_workdir_config(workdir).checkpoint.get("best"))
  if not name:
    return None
  values = {row["step"]: row[name] for row in metrics.read_rows(path)
            if row.get(name) is not None and row[name] == row[name]}
  return min((step for step in saved if step in values), key=values.get, default=None)


def _of_training(workdir, run):
  """Entries for what the run reported of its masking, means over its updates."""
  from dnajax.training import metrics
  path = pathlib.Path(workdir) / "metrics.jsonl"
  means = metrics.mean_rows(
      metrics.read_rows(path) if path.exists() else [], _OF_TRAINING, run["step"])
  return [{"run": run["name"], "evaluator": "training", "task": "masking while training",
           "features": TRAINED, "metric": _OF_TRAINING[name], "value": value,
           "n": run["step"], "step": run["step"], "seed": run["seed"],
           "protocol": "means over the updates of the run, in nucleotides for the hidden "
                       "share (those that no visible k-mer shows); n: updates",
           "fingerprint": run["fingerprint"]} for name, value in means.items()]


def initial_params(config, derived, model):
  """The random parameters that training with this config begins with."""
  import jax
  from flax.core import meta

  from dnajax.training import state
  return jax.jit(lambda: meta.unbox(state.init_params(model, config, derived)))()


def _chosen(config, wanted):
  unknown = [name for name in wanted or () if name not in config.evals]
  if unknown:
    raise errors.UserError(
        f"--evals: no evaluator {', '.join(unknown)} in the config of the run. "
        f"It has: {', '.join(config.evals)}.")
  chosen = list(wanted or config.evals)
  return sorted(chosen, key=lambda name: config.evals[name].type == "harmonic_mean")


def _fingerprint(config, meta, say):
  """Of the data set found now; warns if training read another one."""
  from dnajax import config as config_lib
  from dnajax.data import records
  try:
    directory = records.find(config.data.dir, config.data.name)
  except errors.UserError as error:
    raise errors.UserError(
        f"{error}\nIf it lies elsewhere, give --data_dir.") from error
  now = records.open_split(directory, config_lib.split_name(config)).fingerprint
  if now != meta["data"]["fingerprint"]:
    say(f"warning: {directory} is not the data set of the training run "
        f"(fingerprint {now[:12]}, then {meta['data']['fingerprint'][:12]}).")
  return now


def _entries(run, name, spec, label, step, values, evaluator, seconds):
  """One entry per metric."""
  shared = {
      "run": run["name"], "evaluator": name,
      "task": getattr(evaluator, "task", None) or names.task(spec),
      "features": label,
      # An evaluator without a sentence of its own is described by its config.
      "protocol": getattr(evaluator, "protocol", None) or ", ".join(
          f"{key}={value}" for key, value in spec.items() if key != "every_steps"),
      "fingerprint": run["fingerprint"], "step": step, "seed": run["seed"],
      "seconds": round(seconds, 3),  # of the run, features included unless shared
      "peak_mib": round(host_memory.peak_mib()),  # of the process until now
      "n": next((values[key] for key in _COUNTS if key in values), None)}
  return [{**shared, "metric": metric,
           "value": float(value) if value == value else None}  # NaN is no JSON
          for metric, value in values.items()]


def define_flags():
  """Flags of the command; not at import, where several commands would clash."""
  flags.DEFINE_string("workdir", None, "Directory of a training run.")
  flags.DEFINE_list("evals", [], "Names in config.evals; default all.")
  config_flags.DEFINE_config_file(
      "evals_from", None, "Config file whose evals are used instead of those of the run.")
  flags.DEFINE_integer("step", None, "Checkpoint to use; default the latest.")
  flags.DEFINE_string(
      "data_dir", None, "Where the prepared data lies, if not in config.data.dir.")


@errors.exit_cleanly
def main(argv):
  """Flags -> report."""
  if argv[1:]:
    raise errors.UserError(f"Unexpected arguments: {' '.join(argv[1:])}.")
  if not FLAGS.workdir:
    raise errors.UserError("--workdir is missing. See --help.")
  logging.set_verbosity(logging.WARNING)
  host_memory.keep_freed_memory_on_cpu()
  from dnajax import report
  entries = None
  if FLAGS.evals_from is not None:
    entries = command_line.read_config(FLAGS.evals_from, "evals_from").evals
  found = evaluate_all(FLAGS.workdir, evals=FLAGS.evals, entries=entries,
                       step=FLAGS.step, data_dir=FLAGS.data_dir)
  report.write_evaluated(FLAGS.workdir, found)


if __name__ == "__main__":
  define_flags()
  app.run(main, flags_parser=command_line.parse_flags)
