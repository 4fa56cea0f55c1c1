"""README.md of an exported model: data, config, figures, licence, how to load it."""

import json

from dnajax.results import store, tables
from dnajax.shell import errors

_HEADS = {
    "BertForMaskedLM": ("AutoModelForMaskedLM", "the k-mer at every [MASK]"),
    "BertForTokenClassification": (
        "AutoModelForTokenClassification",
        "the k-mer at every token: class i is id {num_special} + i, named in config.json")}

_CODE = '''import torch
from transformers import AutoModel, AutoTokenizer

folder = "{name}"   # this folder, or the name it has on a hub
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModel.from_pretrained(folder, add_pooling_layer=False).eval()

sequences = ["ACGTNACGTTAGCATTACGATCGATTAGC", "acgtacgtaggt"]
batch = tokenizer(sequences, padding=True, truncation=True, return_tensors="pt")
with torch.no_grad():
  hidden = model(**batch).last_hidden_state
is_token = batch["attention_mask"].unsqueeze(-1)
embeddings = (hidden * is_token).sum(1) / is_token.sum(1)   # [sequences, {width}]
'''


def text(trained, workdir, *, architecture, licence, name):
  """The model card.

  Args:
    trained: workdir.load.Trained.
    workdir: of the run; the figures of its report are taken if they are of this step.
    architecture: class of transformers that the weights are of.
    licence: identifier; "": none is stated.
    name: of the folder.
  """
  model, meta = trained.model, trained.meta
  vocabulary = trained.tokenizer.vocabulary
  head = _HEADS.get(architecture)
  specials = " and ".join(
      text for text, is_there in (("[CLS] in front", vocabulary.add_cls),
                                  ("[SEP] behind", vocabulary.add_sep)) if is_there)
  unknown = ("is [UNK]" if vocabulary.n_policy == "unk" else "has an id of its own")
  parts = [
      "---", *([f"license: {licence}"] if licence else []), "library_name: transformers",
      "tags:", "- biology", "- dna", "- dnajax", "---", "", f"# {name}", "",
      _origin(trained), "",
      *(() if licence else ("No licence was stated when this folder was written.", "")),
      "## How to load it", "",
      "Stock `transformers`, no remote code. The tokenizer takes plain DNA:", "",
      "```python", _CODE.format(name=name, width=model.encoder.width) + "```", "",
      f"Tokens are {vocabulary.k}-mers every {model.tokens.stride} bases"
      + (f", {specials}" if specials else "") + ". Lower case, U, gaps"
      + (" and N at both ends" if trained.cleaning["trim"] else "")
      + f" are dealt with as in training; a k-mer with another letter {unknown}; a last partial "
      f"k-mer is dropped. Sequences are cut at {model.max_length} bp by `truncation=True`."]
  if head:
    parts += ["", f"`{head[0]}` gives "
              + head[1].format(num_special=vocabulary.num_special) + "."]
  parts += ["", *_data(meta), "", *_figures(trained, workdir), "", "## Config", "",
            "```json", json.dumps(_public(meta["config"]), indent=1, default=list), "```", ""]
  return "\n".join(parts)


def _origin(trained):
  version = trained.meta["versions"]["dnajax"]
  if "imported_from" in trained.meta:
    return f"A DNA encoder, converted from other weights with dnajax {version}; not trained here."
  return (f"A DNA encoder, trained with dnajax {version} ({trained.model.objective.name}; "
          f"checkpoint of step {trained.step:,}).")


def _public(config):
  """The config without evaluations and without paths of the machine it ran on."""
  out = {key: value for key, value in config.items() if key not in ("evals", "init_from")}
  out["data"] = {key: value for key, value in config["data"].items() if key != "dir"}
  return out


def _data(meta):
  data = meta["data"]
  if "imported_from" in meta:
    return ["## Data", "", "Not known here: see where the weights were published."]
  lines = ["## Data", "", f"{data['name']}" + (
      f", split {data['split']}: {data['num_records']:,} records; fingerprint "
      f"{data['fingerprint'][:16]}" if data["num_records"] else "") + "."]
  if meta.get("learned_species"):
    lines.append("Labels were learned: what it says of species of the training data is no "
                 "measure of how it does on others.")
  return lines


def _figures(trained, workdir):
  """The report's figures of this checkpoint, as a table; a line if there are none."""
  heading = ["## Figures", ""]
  try:
    found = store.load(workdir)
  except errors.UserError:
    found = None
  if found is None or found["run"]["step"] != trained.step:
    return [*heading, "None were measured of this checkpoint (`python -m dnajax.evaluate`)."]
  lines = list(heading)
  for task, rows in tables.of_results(found["results"]):
    lines += [f"{task}:", "", *tables.markdown(rows, rows[0].index("n")), ""]
  return lines[:-1]
