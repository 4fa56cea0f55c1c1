"""Published weights -> a workdir like any other: `python -m dnajax.convert --from_hf`."""

import contextlib
import dataclasses
import os
import shutil
import types
import uuid
from typing import Any

import jax
import numpy as np
from flax import struct

from data_pipelines import cleaning as cleaning_lib
from dnajax.config import build, model
from dnajax.config import experiment as experiment_lib
from dnajax.hugging_face import claims as claims_lib
from dnajax.hugging_face import sources
from dnajax.models import hugging_face, hugging_face_lm, hugging_face_token_classes
from dnajax.shell import errors, files, parts
from dnajax.training import state as state_lib
from dnajax.workdir import checkpointing, config_file
from dnajax.workdir import meta as meta_lib

_LM, _TOKENS = "BertForMaskedLM", "BertForTokenClassification"


def convert(path, workdir, claims, *, values=None, say=print):
  """Makes a workdir with one checkpoint, of step 0.

  Args:
    path: folder or file of weights, see `sources.read`.
    workdir: must not exist; appears complete or not at all.
    claims: claims.Claims.
    values: nested dict of a config: its data, evaluations and optimizer are those of the
      workdir, its tokens, encoder, objective and losses are not looked at.
    say: called with lines for people.

  Raises:
    UserError: the workdir exists; something is missing in the weights, is not known there,
      or is said by nobody.
  """
  workdir = new_folder(workdir, "--workdir")
  source = sources.read(path)
  encoder, left_out = hugging_face.from_hugging_face(source.tensors, source=source.path)
  resolved = claims_lib.resolve(source, encoder, claims)
  vocabulary = resolved.tokenizer.vocabulary
  params, left_out, objective, what = _with_head(source, encoder, left_out, vocabulary)
  experiment, lines = _experiment(values, resolved, objective)
  spec = model.ModelSpec(tokens=experiment.tokens, max_length=experiment.data.max_length,
                         encoder=experiment.encoder, objective=experiment.objective,
                         losses=experiment.losses)
  _check_fits(spec, params, source.path)
  meta = _meta(experiment, spec, source)
  with made_whole(workdir) as part:
    checkpointer = checkpointing.Checkpointer(part, keep=1)
    checkpointer.save(0, _Nothing(params=params, step=np.zeros((), np.int32)), meta)
    checkpointer.close()
    config_file.write(part, experiment.to_dict())
  say("\n".join([
      f"weights     {source.path}: {what}", *resolved.lines, *lines,
      *(f"left out    {line}" for line in [*left_out, *source.left_out]),
      f"workdir     {workdir}, for dnajax.embed, dnajax.identify, dnajax.evaluate and "
      "config.init_from of dnajax.main"]))


def new_folder(path, flag):
  """The path of a folder that is to be made; UserError if there is something."""
  path = files.path(path)
  if files.is_remote(path):
    raise errors.UserError(f"{flag}={path}: give a folder of this machine, and copy it from "
                           "there: in a store it would not appear at once.")
  if path.exists() and not (path.is_dir() and not any(path.iterdir())):
    raise errors.UserError(f"{flag}={path} exists already and is not overwritten; give "
                           "another folder, or move that one away.")
  return files.absolute(path)


@contextlib.contextmanager
def made_whole(folder):
  """A folder beside `folder` that gets its name at the end, or goes if anything fails."""
  folder.parent.mkdir(parents=True, exist_ok=True)
  part = folder.with_name(f".{folder.name}.part-{os.getpid()}-{uuid.uuid4().hex[:8]}")
  part.mkdir()
  try:
    yield part
    os.replace(part, folder)
  finally:
    shutil.rmtree(part, ignore_errors=True)


@struct.dataclass
class _Nothing:
  """A train state of nobody's training: there is nothing to resume."""
  params: Any
  step: Any


def _with_head(source, encoder, left_out, vocabulary):
  """(params, lines, table of config.objective, words) of the class that the tensors are of."""
  named = {hugging_face.plain_name(name): x for name, x in source.tensors.items()}
  said = (source.config.get("architectures") or [None])[0]
  rows = len(named.get(hugging_face_token_classes.WEIGHT, ()))
  if said == _LM or any(name.startswith("cls.predictions.transform") for name in named):
    params, left_out = hugging_face_lm.from_hugging_face(
        source.tensors, num_special=vocabulary.num_special, source=source.path)
    is_tied = "out" not in params["head"]
    return params, left_out, dict(name="masked_lm", head="transform",
                                  tie_embeddings=is_tied), _LM
  # Another number of rows is somebody's own classes: no head for k-mers.
  if said == _TOKENS and not rows or said in (_TOKENS, None) and (
      rows == vocabulary.num_classes):
    params, left_out = hugging_face_token_classes.from_hugging_face(
        source.tensors, num_classes=vocabulary.num_classes, source=source.path)
    return params, left_out, dict(name="masked_lm", head="linear"), _TOKENS
  return {"encoder": encoder}, left_out, dict(name="classifier"), (
      "BertModel, no head that predicts k-mers")


def _experiment(values, resolved, objective):
  """(Experiment, lines): a config's data and evaluations with the weights' model."""
  hides = objective["name"] == "masked_lm"
  values = dict(values or {"data": {"name": ""}})
  for key in ("balance", "init_from", *(() if hides else ("masking",))):
    values.pop(key, None)
  values["losses"] = {"masked": {"name": "masked_prediction"}} if hides else {}
  values["objective"] = objective
  values["tokens"] = build.to_dict(resolved.tokens)
  values["encoder"] = build.named("encoder", resolved.encoder)
  values["data"] = {**values["data"], "max_length": resolved.max_length}
  values["checkpoint"] = {**values.get("checkpoint", {}), "best": ""}  # there is one step
  made = experiment_lib.read(values)
  if made.masking is not None and made.masking.corruption.takes_out:
    values["masking"] = {**values["masking"], "corruption": {"name": "replace"}}
    made = experiment_lib.read(values)
  evals, lines = {}, []
  for name, one in made.evals.items():
    try:
      build.check(one, parts.Setup(tokenizer=resolved.tokenizer, encoder=made.encoder,
                                   objective=made.objective, losses=made.losses,
                                   evals=made.evals), f"evals.{name}")
      reason = "it asks for a task, and these weights have none" * (
          one.needs_task and not hides)
    except errors.UserError as error:
      reason = str(error)
    if reason:
      lines.append(f"evaluations without {name}: {reason}")
    else:
      evals[name] = one
  if not made.data.name:
    lines.append("data        none: for dnajax.evaluate, convert with --config=FILE, whose "
                 "data and evals are then the workdir's")
  return dataclasses.replace(made, evals=evals), lines


def _check_fits(spec, params, where):
  """UserError if the model would want other arrays; that is a mistake of this program."""
  wanted = jax.eval_shape(lambda: state_lib.random_params(spec, 0))
  mismatch = checkpointing.explain_mismatch(wanted, params)
  if mismatch:
    raise errors.UserError(f"{where}: the weights do not fit:\n{mismatch}")


def _meta(experiment, spec, source):
  nothing = types.SimpleNamespace(
      cleaning=dataclasses.asdict(cleaning_lib.Cleaning()), num_records=0,
      fingerprint="unknown")
  meta = meta_lib.make(experiment.to_dict(), spec, nothing, ranks=None)
  return {**meta, "centre": None, "imported_from": source.path, "data": {
      "name": f"not known, weights imported from {source.path}", "split": "", "num_records": 0,
      "fingerprint": "unknown", "order": "not known"}}
