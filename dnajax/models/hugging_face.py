"""The encoder of a Hugging Face BERT in and out, as plain NumPy arrays.

Both directions work on `{tensor name: array}`; no model and no torch is
needed. The encoder's parameters are those of `encoders.transformer` with
norm="post", blocks stacked on axis 0. `hugging_face_lm` does the same for a
whole masked language model, `safetensors_files` reads and writes files.
"""

import re

import numpy as np

from dnajax.shell import errors

WORDS = "embeddings.word_embeddings.weight"
# (our path, Hugging Face name, is a matrix stored the other way round)
_EMBEDDINGS = (
    (("word",), WORDS, False),
    (("inputs", "position"), "embeddings.position_embeddings.weight", False),
    (("inputs", "norm", "scale"), "embeddings.LayerNorm.weight", False),
    (("inputs", "norm", "bias"), "embeddings.LayerNorm.bias", False),
)
_TOKEN_TYPE = "embeddings.token_type_embeddings.weight"
_LAYER = "encoder.layer.{}."
_MATRICES = (
    (("attention", "query"), "attention.self.query"),
    (("attention", "key"), "attention.self.key"),
    (("attention", "value"), "attention.self.value"),
    (("attention", "out"), "attention.output.dense"),
    (("feed_forward", "up"), "intermediate.dense"),
    (("feed_forward", "down"), "output.dense"),
)
_NORMS = (
    (("attention_norm",), "attention.output.LayerNorm"),
    (("feed_forward_norm",), "output.LayerNorm"),
)
_IN_LAYER = tuple(
    row for path, name in _MATRICES
    for row in ((path + ("kernel",), name + ".weight", True),
                (path + ("bias",), name + ".bias", False))
) + tuple(
    row for path, name in _NORMS
    for row in ((path + ("scale",), name + ".weight", False),
                (path + ("bias",), name + ".bias", False)))
# Buffers that old releases wrote beside the weights; they follow from sizes.
_BUFFERS = ("embeddings.position_ids", "embeddings.token_type_ids")


def from_hugging_face(tensors, *, source="the given tensors"):
  """Turns the tensors of a Hugging Face BERT into encoder parameters.

  Args:
    tensors: {name: array}, names as in BertModel or with the prefix "bert.";
      LayerNorm's old names gamma and beta are understood.
    source: where they come from, for messages.

  Returns:
    (params, left_out): nested dict of float32 arrays, blocks stacked on axis
    0; and one line for each given tensor, or part of one, that has no place in
    the encoder: the pooler, heads, rows 1 and up of the token-type table.

  Raises:
    UserError: a tensor is missing, has a shape that does not fit, or belongs to
      the encoder but is not known. All such tensors are named.
  """
  names = {plain_name(name): name for name in tensors}
  found = {plain: np.asarray(tensors[name]) for plain, name in names.items()}
  depth = _depth(found)
  needed = [name for _, name, _ in _EMBEDDINGS] + [_TOKEN_TYPE] + [
      _LAYER.format(i) + name for i in range(depth) for _, name, _ in _IN_LAYER]
  rest = sorted(found.keys() - set(needed) - set(_BUFFERS))
  unknown = [n for n in rest if n.startswith(("embeddings.", "encoder."))]
  problems = [f"missing: {n}" for n in needed if n not in found]
  problems += [f"not known in a BERT encoder: {names[n]}" for n in unknown]
  refuse(problems, source)
  refuse(_wrong_shapes(found, depth), source)

  params = {}
  for path, name, _ in _EMBEDDINGS:
    put(params, path, found[name].astype(np.float32))
  put(params, ("inputs", "token_type"), found[_TOKEN_TYPE][0].astype(np.float32))
  for path, name, is_transposed in _IN_LAYER:
    layers = [found[_LAYER.format(i) + name].astype(np.float32) for i in range(depth)]
    stacked = np.stack([x.T if is_transposed else x for x in layers])
    put(params, ("blocks", "layers") + path, stacked)
  left_out = [f"{names[n]} {list(found[n].shape)}" for n in rest]
  num_types = len(found[_TOKEN_TYPE])
  if num_types > 1:
    left_out.append(f"{names[_TOKEN_TYPE]} rows 1..{num_types - 1}: only row 0 is used")
  return params, left_out


def to_hugging_face(params, *, prefix=""):
  """Turns encoder parameters into the tensors of a Hugging Face BertModel.

  The result has no pooler (`BertModel(config, add_pooling_layer=False)`) and a
  token-type table of one row; `hugging_face_config` says so to transformers.

  Args:
    params: nested dict of an encoder's parameters.
    prefix: "" for BertModel, "bert." for the classes that hold one.

  Returns:
    {name: float32 array}.

  Raises:
    UserError: the parameters are not those of a post-norm encoder.
  """
  params = {path: np.asarray(x, np.float32) for path, x in flatten(params)}
  if ("blocks", "final_norm", "scale") in params:
    raise errors.UserError(
        "An encoder trained with encoder.norm='pre' is not a BERT and cannot be "
        "exported as one. Train with encoder.norm='post' to export.")
  wanted = {path: name for path, name, _ in _EMBEDDINGS}
  in_layer = {("blocks", "layers") + path: (name, is_transposed)
              for path, name, is_transposed in _IN_LAYER}
  known = {*wanted, ("inputs", "token_type"), *in_layer}
  refuse([f"missing: {'/'.join(path)}" for path in sorted(known - params.keys())]
          + [f"not known: {'/'.join(path)}" for path in sorted(params.keys() - known)],
          "the encoder's parameters")
  tensors = {name: params[path] for path, name in wanted.items()}
  tensors[_TOKEN_TYPE] = params["inputs", "token_type"][None]
  for path, (name, is_transposed) in in_layer.items():
    for i, x in enumerate(params[path]):
      tensors[_LAYER.format(i) + name] = np.ascontiguousarray(x.T if is_transposed else x)
  return {prefix + name: x for name, x in tensors.items()}


def hugging_face_config(params, *, num_heads, class_names=()):
  """What `transformers.BertConfig` must be told about exported weights.

  Args:
    params: nested dict of an encoder's parameters, or of a MaskedLM's.
    num_heads: attention heads; the arrays do not show them.
    class_names: text of each class of a MaskedLM with head="linear".

  Returns:
    dict, ready for config.json.
  """
  head = dict(architectures=["BertModel"])
  if "head" in params:
    if "transform" in params["head"]:
      head = dict(architectures=["BertForMaskedLM"],
                  tie_word_embeddings="out" not in params["head"])
    else:
      head = dict(architectures=["BertForTokenClassification"],
                  id2label={str(i): name for i, name in enumerate(class_names)},
                  label2id={name: i for i, name in enumerate(class_names)})
    params = params["encoder"]
  vocab_size, width = params["word"].shape
  up = params["blocks"]["layers"]["feed_forward"]["up"]["kernel"]
  return dict(
      model_type="bert", vocab_size=vocab_size, hidden_size=width,
      num_hidden_layers=up.shape[0], num_attention_heads=num_heads,
      intermediate_size=up.shape[2], hidden_act="gelu", layer_norm_eps=1e-12,
      max_position_embeddings=params["inputs"]["position"].shape[0],
      type_vocab_size=1, **head)


def plain_name(name):
  """A tensor's name without the prefix of classes that hold a BertModel, in new spelling."""
  name = name.removeprefix("bert.")
  name = re.sub(r"LayerNorm\.gamma$", "LayerNorm.weight", name)
  return re.sub(r"LayerNorm\.beta$", "LayerNorm.bias", name)


def _depth(found):
  numbers = [int(m[1]) for m in (re.match(r"encoder\.layer\.(\d+)\.", n) for n in found) if m]
  return max(numbers, default=0) + 1


def _wrong_shapes(found, depth):
  """One line for each tensor whose shape contradicts the others."""
  first = _LAYER.format(0)
  width = found[WORDS].shape[-1]
  inner = found[first + "intermediate.dense.bias"].shape[-1]
  expected = {_TOKEN_TYPE: (None, width)}
  for _, name, _ in _EMBEDDINGS:
    expected[name] = (width,) if "LayerNorm" in name else (None, width)
  shapes = {"intermediate.dense.weight": (inner, width), "intermediate.dense.bias": (inner,),
            "output.dense.weight": (width, inner)}
  for i in range(depth):
    for _, name, is_matrix in _IN_LAYER:
      expected[_LAYER.format(i) + name] = shapes.get(
          name, (width, width) if is_matrix else (width,))
  return [
      f"{name} has shape {list(found[name].shape)}, expected {list(shape)}"
      for name, shape in expected.items()
      if len(shape) != found[name].ndim or any(
          want not in (None, got) for want, got in zip(shape, found[name].shape, strict=True))]


def refuse(problems, source, wanted="BertModel"):
  """UserError with all problems, if there are any.

  Args:
    problems: lines.
    source: where the tensors come from.
    wanted: transformers' class whose weights were expected.
  """
  if problems:
    what = "encoder" if wanted == "BertModel" else "masked language model"
    raise errors.UserError(
        f"{source}: not the weights of a BERT {what} as needed here.\n  "
        + "\n  ".join(problems)
        + f"\nGive the weights of a {wanted}, complete and with its usual names.")


def put(tree, path, leaf):
  """Sets a leaf of a nested dict, making the dicts above it."""
  for key in path[:-1]:
    tree = tree.setdefault(key, {})
  tree[path[-1]] = leaf


def flatten(tree, path=()):
  """Yields (path as a tuple, leaf) of a nested dict."""
  for key, value in tree.items():
    if hasattr(value, "items"):
      yield from flatten(value, path + (key,))
    else:
      yield path + (key,), value
