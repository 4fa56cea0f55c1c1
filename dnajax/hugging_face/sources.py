"""Published weights as they lie on the disk: tensors, and what the files say about them."""

import argparse
import dataclasses
import json
import re

from dnajax.models import safetensors_files
from dnajax.shell import errors, files

INDEX = "model.safetensors.index.json"
# In this order: the first that is there is read.
WEIGHTS = ("model.safetensors", INDEX, "pytorch_model.bin")
OWN_KEY = "dnajax"   # in config.json of an export: what stock BERT has no word for

# Attributes of the arguments that BarcodeBERT's and BarcodeMAE's checkpoints keep.
_OF_BARCODES = {"k_mer": "k", "stride": "stride", "max_len": "max_length",
                "use_cls_token": "add_cls"}


@dataclasses.dataclass(frozen=True)
class Source:
  """What was found. Nothing in it was checked against anything else."""
  path: str
  tensors: dict        # {name: numpy array}
  config: dict         # of transformers' BertConfig; {} if there is none
  names: list | None   # text of every id, in their order
  said: dict           # what the files say of tokens, keys as the flags of dnajax.convert
  left_out: list       # lines about tensors that belong to no encoder


def read(path):
  """The Source of a folder, or of a file of weights with what lies beside it.

  Raises:
    UserError: there are no weights, or a file cannot be read.
  """
  path = files.path(path)
  if not path.exists():
    raise errors.UserError(f"--from_hf={path}: there is no such folder or file.")
  weights = _find(path) if path.is_dir() else path
  folder = weights.parent
  config = _read_json(folder / "config.json")
  said = dict(config.get(OWN_KEY) or {})
  left_out = []
  if weights.name == INDEX:
    tensors = _read_shards(weights)
  elif weights.suffix == ".safetensors":
    tensors = safetensors_files.read(weights)
  else:
    tensors, of_checkpoint, also, left_out = _from_torch(_load_torch(weights), weights)
    config, said = of_checkpoint or config, said | also
  return Source(str(weights), {name.removeprefix("module."): x for name, x in tensors.items()},
                config, _names(folder), said, left_out)


def _find(folder):
  for name in WEIGHTS:
    if (folder / name).exists():
      return folder / name
  others = sorted(path for path in folder.iterdir()
                  if path.suffix in (".safetensors", ".bin", ".pt", ".pth"))
  if len(others) == 1:
    return others[0]
  found = ", ".join(path.name for path in others) or "none"
  raise errors.UserError(
      f"--from_hf={folder}: no {', '.join(WEIGHTS)} in it; files of weights: {found}. "
      "Give the file itself.")


def _read_shards(index):
  names = _read_json(index).get("weight_map", {})
  tensors = {}
  for name in sorted(set(names.values())):
    tensors |= safetensors_files.read(index.parent / name)
  missing = [name for name in names if name not in tensors]
  if missing:
    raise errors.UserError(f"{index}: its files lack {', '.join(missing)}.")
  return tensors


def _load_torch(path):
  try:
    import torch  # only here: torch is needed for nothing else
  except ImportError as error:
    raise errors.UserError(
        f"{path}: files other than .safetensors are read by torch, which is not installed; "
        "pip install torch, or save the weights as .safetensors.") from error
  try:
    # Arguments as the barcode papers' checkpoints keep them: names and plain values.
    with torch.serialization.safe_globals([argparse.Namespace]):
      return torch.load(path, map_location="cpu", weights_only=True)
  except Exception as error:  # pickle's, zip's and torch's own, by the file
    # Torch first explains at length how to load the file all the same.
    found = re.search(r"WeightsUnpickler error: *(.*)", str(error))
    reason = (found[1] if found else str(error)).strip().partition("\n")[0].partition(". ")[0]
    raise errors.UserError(
        f"{path}: torch.load(weights_only=True) does not read it: {reason.rstrip('. ')}. Where "
        "you trust the file, save its tensors alone as .safetensors and give that.") from error


def _from_torch(found, path):
  """(tensors, BertConfig's dict or None, what is said of tokens, lines) of a loaded file."""
  config, said, left_out = None, {}, []
  if isinstance(found, dict) and isinstance(found.get("model"), dict):
    config = found.get("bert_config")
    arguments = found.get("config")
    said = _of_arguments(vars(arguments) if isinstance(arguments, argparse.Namespace)
                         else arguments or {}, path)
    tensors = {name.removeprefix("module."): x for name, x in found["model"].items()}
    if "decoder_config" in found:  # a whole masked autoencoder; its encoder is one part
      left_out = [f"{name} {list(x.shape)}" for name, x in tensors.items()
                  if not name.startswith("encoder.")]
      tensors = {name.removeprefix("encoder."): x for name, x in tensors.items()
                 if name.startswith("encoder.")}
  else:
    tensors = found.get("state_dict", found) if isinstance(found, dict) else {}
  odd = [name for name, x in tensors.items() if not hasattr(x, "numpy")]
  if odd or not tensors:
    raise errors.UserError(f"{path}: not a dict of tensors"
                           + (f"; {', '.join(map(str, odd[:5]))} are none." if odd else "."))
  arrays = {name: (x.float() if x.is_floating_point() else x).numpy()
            for name, x in tensors.items()}
  return arrays, config if isinstance(config, dict) else None, said, left_out


def _of_arguments(arguments, path):
  if not arguments:
    return {}
  for key, plain in (("tokenizer", "kmer"), ("jumbo", False), ("n_registers", 0)):
    value = arguments.get(key, plain)
    if value != plain and value:
      raise errors.UserError(
          f"{path}: it was trained with {key}={value!r}, which no encoder here has: only "
          f"{key}={plain!r} can be converted.")
  said = {ours: arguments[key] for key, ours in _OF_BARCODES.items()
          if arguments.get(key) is not None}
  if "tokenize_n_nucleotide" in arguments:
    said["n_policy"] = "in_vocabulary" if arguments["tokenize_n_nucleotide"] else "unk"
  return said


def _names(folder):
  """Text of every id, of tokenizer.json or vocab.txt; None if neither has them."""
  vocab = _read_json(folder / "tokenizer.json").get("model", {}).get("vocab")
  if isinstance(vocab, dict) and sorted(vocab.values()) == list(range(len(vocab))):
    return sorted(vocab, key=vocab.get)
  path = folder / "vocab.txt"
  return path.read_text("utf-8").rstrip("\n").split("\n") if path.exists() else None


def _read_json(path):
  try:
    found = json.loads(path.read_text("utf-8"))
  except FileNotFoundError:
    return {}
  except (ValueError, OSError) as error:
    raise errors.UserError(f"{path} is not readable JSON: {error}.") from error
  if not isinstance(found, dict):
    raise errors.UserError(f"{path} must hold a table of keys.")
  return found


