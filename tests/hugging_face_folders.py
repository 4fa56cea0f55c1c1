"""Folders of random weights as people publish them; no torch."""

import json

import bert_shapes

from dnajax.hugging_face import claims, importing
from dnajax.models import safetensors_files
from dnajax.tokens import vocabulary as vocabulary_lib

LM = bert_shapes.Shape(2, 2, 16, 48, "tied")
CLASSES = bert_shapes.Shape(1, 2, 16, 48, "classes", vocab_size=66)   # [MASK], [UNK], 64
PLAIN = bert_shapes.Shape(1, 2, 16, 48, "none", vocab_size=66)
DNABERT = vocabulary_lib.Vocabulary(3, layout="dnabert")
OF_DNABERT = dict(stride=1, add_cls=True, add_sep=True)
OF_BARCODES = dict(vocabulary="barcodebert", stride=3)


def write(folder, shape, *, vocabulary=None, tensors=None, **config):
  """A folder with config.json and model.safetensors; a value None takes a key out."""
  folder.mkdir()
  tensors = dict(bert_shapes.tensors(shape) if tensors is None else tensors)
  if "classifier.weight" in tensors and shape is CLASSES:   # as many classes as k-mers
    for name in ("weight", "bias"):
      rows = bert_shapes.tensors(bert_shapes.Shape(1, 2, 16, 48, "classes", 69))
      tensors[f"classifier.{name}"] = rows[f"classifier.{name}"]
  values = {key: value for key, value in {**shape.config, **config}.items()
            if value is not None}
  (folder / "config.json").write_text(json.dumps(values))
  safetensors_files.write(folder / "model.safetensors", tensors)
  if vocabulary:
    (folder / "vocab.txt").write_text("\n".join(vocabulary.names()) + "\n")
  return folder


def convert(folder, workdir, **claimed):
  """Lines that were said; the workdir is made."""
  said = []
  values = claimed.pop("values", None)
  importing.convert(folder, workdir, claims.Claims(**claimed), values=values, say=said.append)
  return "\n".join(said)
