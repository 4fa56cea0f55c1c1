"""A workdir -> a folder that stock `transformers` loads: `python -m dnajax.convert --to_hf`."""

import json

from data_pipelines import cleaning as cleaning_lib
from dnajax.hugging_face import importing, model_card, sources, tokenizer_json
from dnajax.models import (
    hugging_face,
    hugging_face_lm,
    hugging_face_token_classes,
    safetensors_files,
)
from dnajax.models.encoders import transformer
from dnajax.shell import errors
from dnajax.workdir import load


def convert(workdir, folder, *, step="best", licence="", say=print):
  """Writes config.json, model.safetensors, tokenizer files and README.md.

  Args:
    workdir: of a run.
    folder: must not exist, or be empty; appears complete or not at all.
    step: which checkpoint, see `workdir.load.load`.
    licence: identifier for the model card, as "cc-by-4.0"; "": none is stated.
    say: called with lines for people.

  Raises:
    UserError: the folder is there; or stock BERT has no such model, with what can be done.
  """
  folder = importing.new_folder(folder, "--to_hf")
  trained = load.load(workdir, step=step)
  reason = _why_not(trained.model)
  if reason:
    raise errors.UserError(f"{workdir} cannot be exported as a stock BERT: {reason}")
  tensors, params, left_out = _tensors(trained)
  vocabulary = trained.tokenizer.vocabulary
  config = hugging_face.hugging_face_config(
      params, num_heads=trained.model.encoder.num_heads,
      class_names=vocabulary.names()[vocabulary.num_special:])
  with importing.made_whole(folder) as part:
    safetensors_files.write(part / "model.safetensors", tensors)
    _write_json(part / "config.json", config | _more_config(trained))
    _write_json(part / "tokenizer.json", tokenizer_json.make(
        trained.tokenizer, cleaning_lib.Cleaning(**trained.cleaning)))
    _write_json(part / "tokenizer_config.json", tokenizer_json.make_config(trained.tokenizer))
    (part / "README.md").write_text(model_card.text(
        trained, workdir, architecture=config["architectures"][0], licence=licence,
        name=folder.name), "utf-8")
  say("\n".join([
      f"model       {config['architectures'][0]}, {len(tensors)} tensors, checkpoint of step "
      f"{trained.step}{', the best' if trained.is_best else ''}",
      *(f"left out    {line}" for line in left_out),
      f"licence     {licence or 'none stated; --licence=NAME writes one'}",
      f"folder      {folder}: AutoModel.from_pretrained, AutoTokenizer.from_pretrained; "
      "README.md shows how"]))


def _why_not(model):
  """Why stock BERT cannot be this model, with what can be done; None if it can."""
  encoder, tokens = model.encoder, model.tokens
  if not isinstance(encoder, transformer.Transformer):
    name = model.to_dict()["encoder"]["name"]
    return (f"config.encoder.name={name!r} is no transformer. Train with "
            "encoder.name='transformer', encoder.norm='post', or take the vectors from "
            "dnajax.embed.")
  if encoder.norm != "post":
    return (f"config.encoder.norm={encoder.norm!r} normalises before each branch, BERT behind "
            "it. Train with encoder.norm='post'.")
  if tokens.frames != "one":
    return (f"config.tokens.frames={tokens.frames!r} makes a token's vector of several "
            "k-mers, BERT looks up one. Train with tokens.frames='one'.")
  if tokens.align_to:
    return ("config.tokens.align_to shifts rows to a consensus, which no stock tokenizer "
            "does. Train with tokens.align_to=''.")
  if model.objective.is_causal:
    return ("config.objective.name='causal_lm' lets no token see one behind it. Train with "
            "masked_lm or mae.")
  return None


def _tensors(trained):
  """(tensors, the parameters behind them, lines about what stays behind)."""
  params, objective = trained.params, trained.model.objective
  others = sorted(params.keys() - {"encoder", "head"})
  if objective.name != "masked_lm":
    others = sorted(params.keys() - {"encoder"})
    return (hugging_face.to_hugging_face(params["encoder"]), params["encoder"],
            [f"{name}: the encoder alone is a stock BertModel" for name in others])
  kind = hugging_face_lm if objective.head == "transform" else hugging_face_token_classes
  params = {name: params[name] for name in ("encoder", "head")}
  return (kind.to_hugging_face(params), params,
          [f"{name}: a head that stock BERT has no place for" for name in others])


def _more_config(trained):
  """What config.json says beside sizes and class."""
  model, vocabulary = trained.model, trained.tokenizer.vocabulary
  rate = model.encoder.dropout
  return {"pad_token_id": vocabulary.pad_id, "hidden_dropout_prob": rate,
          "attention_probs_dropout_prob": rate, "position_embedding_type": "absolute",
          # Says to dnajax.convert --from_hf what stock BERT has no word for.
          sources.OWN_KEY: {
              "vocabulary": vocabulary.layout, "k": vocabulary.k, "stride": model.tokens.stride,
              "n_policy": vocabulary.n_policy, "add_cls": vocabulary.add_cls,
              "add_sep": vocabulary.add_sep, "max_length": model.max_length}}


def _write_json(path, content):
  path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")
