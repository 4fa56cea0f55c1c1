"""A Hugging Face BertForTokenClassification in and out, as plain NumPy arrays.

BarcodeBERT's form: an encoder and one linear map to the k-mers. Parameters are those of
`predictors.MaskedLM` with head="linear" on a transformer encoder with norm="post".
"""

import numpy as np

from dnajax.models import hugging_face

WEIGHT, BIAS = "classifier.weight", "classifier.bias"


def from_hugging_face(tensors, *, num_classes, source="the given tensors"):
  """Turns its tensors into the parameters of a MaskedLM with head="linear".

  Args:
    tensors: {name: array}.
    num_classes: k-mers (`Vocabulary.num_classes`), class i is id num_special + i.
    source: where they come from, for messages.

  Returns:
    (params, left_out): {"encoder": …, "head": …} of float32 arrays, the map not tied; and
    what had no place there, as `hugging_face.from_hugging_face` says it.

  Raises:
    UserError: as `hugging_face.from_hugging_face`, for the head too.
  """
  encoder, left_out = hugging_face.from_hugging_face(tensors, source=source)
  width = encoder["word"].shape[1]
  expected = {WEIGHT: (num_classes, width), BIAS: (num_classes,)}
  hugging_face.refuse(
      [f"missing: {name}" for name in expected if name not in tensors]
      + [f"{name} has shape {list(tensors[name].shape)}, expected {list(shape)}"
         for name, shape in expected.items()
         if name in tensors and tensors[name].shape != shape],
      source, "BertForTokenClassification")
  out = {"kernel": np.asarray(tensors[WEIGHT], np.float32).T,
         "bias": np.asarray(tensors[BIAS], np.float32)}
  return ({"encoder": encoder, "head": {"out": out}},
          [line for line in left_out if line.split(" ")[0] not in expected])


def to_hugging_face(params):
  """Turns the parameters of a MaskedLM with head="linear" into its tensors.

  A tied map is written out: the rows of the k-mers in the word table.

  Args:
    params: {"encoder": …, "head": …} with objective.head="linear".

  Returns:
    {name: float32 array}.

  Raises:
    UserError: the parameters are not those of such a model.
  """
  head = {path: np.asarray(x, np.float32) for path, x in hugging_face.flatten(params["head"])}
  is_tied = ("bias",) in head
  known = {("bias",)} if is_tied else {("out", "kernel"), ("out", "bias")}
  hugging_face.refuse(
      [f"missing: {'/'.join(path)}" for path in sorted(known - head.keys())]
      + [f"not known: {'/'.join(path)}" for path in sorted(head.keys() - known)],
      "the head's parameters", "BertForTokenClassification")
  tensors = hugging_face.to_hugging_face(params["encoder"], prefix="bert.")
  bias = head[("bias",) if is_tied else ("out", "bias")]
  words = tensors["bert." + hugging_face.WORDS]
  rows = words[len(words) - len(bias):] if is_tied else head["out", "kernel"].T
  # A copy: safetensors keeps no two names for one array.
  return tensors | {WEIGHT: np.array(rows, order="C"), BIAS: bias}
