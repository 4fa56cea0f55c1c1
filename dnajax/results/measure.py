"""Runs the evaluators of a workdir: the trained encoder beside the same one before training."""

import contextlib
import time

from dnajax.config import build
from dnajax.config import plan as plan_lib
from dnajax.data import records
from dnajax.devices import host_memory, partitioning
from dnajax.evaluators import base, drawn
from dnajax.evaluators import context as context_lib
from dnajax.inference import encode
from dnajax.results import seeds
from dnajax.shell import errors, metric, parts
from dnajax.workdir import load, metrics

# Names in metrics.jsonl -> name in a report, unit.
_OF_TRAINING = {"masking/share": ("selected_share", "share"),
                "masking/hidden_share": ("hidden_share", "share"),
                "masking/hard_share": ("hard_share", "share"),
                "masking/mean_pmi_rank": ("mean_pmi_rank", "")}


def evaluate(workdir, *, evals=None, entries=None, step="best", data_dir=None, mesh=None,
             say=print):
  """Runs evaluators of a run's config on one of its checkpoints.

  Those that ask encoders and no baseline also run on the parameters that the run began
  with (config.seed, before any update or config.init_from).

  Args:
    workdir: of the run; nothing is written.
    evals: names in config.evals; default all, those aside that this version cannot build.
    entries: {name: table} that stands in for config.evals.
    step: which checkpoint, see `workdir.load.load`.
    data_dir: where the prepared data lies now; default config.data.dir.
    mesh: {axis: devices}, see `encode.local_mesh`.
    say: called with a line of progress.

  Returns:
    {"run": {…}, "results": [{run, evaluator, task, features, metric, value, unit,
    is_shown, is_bar, n, protocol, fingerprint, step, seed, …}], "figures": {name:
    matplotlib Figure}, "points": {evaluator: (features [N, D], N names)}, "is_right":
    {"EVALUATOR/FEATURES": [Q] bool}}; run and results are JSON-serialisable.

  Raises:
    UserError: workdir, checkpoint, data set or names are wrong.
  """
  trained = load.load(workdir, step=step)
  config, model = trained.meta["config"], trained.model
  directory = _data_directory(config, data_dir)
  evaluators = _parts(config["evals"] if entries is None else entries, evals,
                      say if entries is None and not evals else None)
  setup = parts.Setup(tokenizer=model.tokenizer, encoder=model.encoder,
                      objective=model.objective, losses=model.losses, evals=evaluators)
  for name, part in evaluators.items():
    build.check(part, setup, f"evals.{name}")
  train_split = config["data"]["split"].format(seed=config["seed"])
  run = _run(workdir, trained, _fingerprint(directory, train_split, trained.meta, say))
  training = None
  if any(part.needs_task or part.asks_untrained(evaluators) for part in evaluators.values()):
    training = plan_lib.of_meta(trained.meta, data_dir)
  context = context_lib.Context(
      model=model, data_directory=directory, train_split=train_split,
      task=training and training.task, bind_masking=training and training.bind_masking,
      seed=config["seed"], mesh=encode.local_mesh(mesh), evals=evaluators)
  params_of = {base.UNTRAINED: lambda: training.initial_params(),
               base.TRAINED: lambda: trained.params}
  # What is made of others finds there what they said.
  chosen = sorted(evals or evaluators, key=lambda name: bool(evaluators[name].others))
  results = [] if evals else _of_training(workdir, run)
  return {"run": run, **_measured(run, context, chosen, params_of, results, say)}


def evaluate_all(workdir, *, say=print, **options):
  """`evaluate` of a run, or of each run below a directory that holds those of several seeds.

  Returns:
    List of (workdir, what `evaluate` returned).
  """
  return [(path, evaluate(path, say=say, **options)) for path in seeds.workdirs(workdir)]


def _measured(run, context, chosen, params_of, results, say):
  """Runs the evaluators on both sets of parameters; the other items of `evaluate`."""
  parts_, mesh = context.evals, context.mesh
  runners = {name: parts_[name].build(context) for name in chosen}
  figures, points, is_right = {}, {}, {}
  with contextlib.nullcontext() if mesh is None else partitioning.use(mesh):
    for kind, load_params in params_of.items():
      names = [name for name in chosen
               if kind == base.TRAINED or parts_[name].asks_untrained(parts_)]
      if not names:
        continue
      params = encode.on_devices(load_params(), mesh, context.model)
      for name in names:
        part, runner = parts_[name], runners[name]
        label = part.baseline or kind
        say(f"evaluating {name}: {label}")
        before = time.perf_counter()
        found = list(runner.run(params))
        seconds = time.perf_counter() - before
        context.cache["found", name] = params, found
        results = results + entries_of(
            run, name, part, found, features=label,
            step={base.UNTRAINED: 0, base.TRAINED: run["step"]}.get(label),
            protocol=getattr(runner, "protocol", None) or _keys(part), seconds=seconds)
        if kind == base.TRAINED:
          figures |= drawn.figures(name, runner)
          if hasattr(runner, "points"):
            points[name] = runner.points()
        if getattr(runner, "is_right", None) is not None:
          is_right[f"{name}/{label}"] = runner.is_right
  return {"results": results, "figures": figures, "points": points, "is_right": is_right}


def entries_of(run, name, part, found, *, features, step, protocol, seconds):
  """One entry of a report per Metric.

  Args:
    run: see `evaluate`.
    name: of the evaluator in config.evals.
    part: evaluators.base.Evaluator; of it the task and which metric is a bar.
    found: list of Metrics; the first of unit "count" is `n`, how much was asked.
    features: what stands in the column of the features.
    step: updates done, None for baselines.
    protocol: how it was measured.
    seconds: that it took, features included unless they are shared.
  """
  shared = {
      "run": run["name"], "evaluator": name, "task": part.task or name,
      "features": features, "protocol": protocol, "fingerprint": run["fingerprint"],
      "step": step, "seed": run["seed"], "seconds": round(seconds, 3),
      "peak_mib": round(host_memory.peak_mib()),  # of the process until now
      "n": next((one.value for one in found if one.unit == "count"), None)}
  return [{**shared, "metric": one.name,
           "value": float(one.value) if one.value == one.value else None,  # NaN is no JSON
           "unit": one.unit, "is_shown": one.is_shown, "is_bar": one.name == part.bar}
          for one in found]


def _keys(part):
  """An evaluator without a sentence of its own is described by its keys."""
  return ", ".join(f"{key}={value}" for key, value in build.to_dict(part).items()
                   if key != "every_steps")


def _of_training(workdir, run):
  """Entries for what the run reported of its masking, means over its updates."""
  means = metrics.mean_rows(
      metrics.read_rows(metrics.path(workdir)), _OF_TRAINING, run["step"])
  found = [metric.Metric(_OF_TRAINING[name][0], value, _OF_TRAINING[name][1])
           for name, value in means.items()]
  if not found:
    return []
  return entries_of(
      run, "training", _Training(), [*found, *metric.counts({"num_updates": run["step"]})],
      features=base.TRAINED, step=run["step"], seconds=0,
      protocol="means over the updates of the run, in nucleotides for the hidden share "
               "(those that no visible k-mer shows); n: updates")


class _Training(base.Evaluator):
  task = "masking while training"


def _run(workdir, trained, fingerprint):
  """What a report says of the run."""
  config, model = trained.meta["config"], trained.model.to_dict()
  return {"name": seeds.run_name(workdir), "step": trained.step,
          "total_steps": config["total_steps"], "seed": config["seed"],
          "model": f"{model['objective']['name']}, {model['encoder']['name']}",
          "data": config["data"]["name"], "fingerprint": fingerprint,
          "versions": trained.meta["versions"], "setting": seeds.setting(config),
          "is_best": trained.is_best}


def _parts(entries, wanted, say):
  """{name: part} of the entries that are wanted, and of those they are made of.

  say: called with what is left out because it cannot be built; None: nothing may be.
  """
  unknown = [name for name in wanted or () if name not in entries]
  if unknown:
    raise errors.UserError(
        f"--evals: no evaluator {', '.join(unknown)} in the config of the run. "
        f"It has: {', '.join(entries)}.")
  made, todo = {}, list(wanted or entries)
  while todo:
    name = todo.pop(0)
    if name in made:
      continue
    try:
      made[name] = build.part("evaluator", entries[name], f"evals.{name}")
    except errors.UserError as error:
      if say is None:
        raise
      say(f"left out {name}: {error}")
    else:
      todo += [other for other in made[name].others if other in entries]
  return made


def _data_directory(config, data_dir):
  """Where the data set lies now."""
  if not config["data"]["name"]:
    raise errors.UserError("This workdir was converted from published weights and names no "
                           "data. Convert again with --config=FILE, whose data it then has.")
  try:
    return records.find(data_dir or config["data"]["dir"], config["data"]["name"])
  except errors.UserError as error:
    raise errors.UserError(f"{error} If it lies elsewhere, give --data_dir.") from error


def _fingerprint(directory, train_split, meta, say):
  """Of the data set found now; warns if training read another one, or cleaned otherwise."""
  split = records.open_split(directory, train_split)
  then = meta["data"]["fingerprint"]
  if split.fingerprint != then:
    say(f"warning: {directory} is not the data set of the training run "
        f"(fingerprint {split.fingerprint[:12]}, then {then[:12]}).")
  if split.cleaning != meta["cleaning"]:
    say(f"warning: {directory} was cleaned otherwise ({split.cleaning}) than what the run "
        f"was trained on ({meta['cleaning']}).")
  return split.fingerprint
