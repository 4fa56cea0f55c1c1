"""Hugging Face BERT weights in and out, as plain NumPy arrays.

Both directions work on `{tensor name: array}`; no model and no torch is
needed. The encoder's parameters are those of `dnajax.models.encoder.Encoder`
with norm="post", blocks stacked on axis 0. `masked_lm_from_hugging_face` and
`masked_lm_to_hugging_face` do the same for a whole
`dnajax.models.masked_lm.MaskedLM` with head="transform" (BERT's and DNABERT's).
"""

import re

import numpy as np

from dnajax import errors, files

_WORDS = "embeddings.word_embeddings.weight"
# (our path, Hugging Face name, is a matrix stored the other way round)
_EMBEDDINGS = (
    (("word",), _WORDS, False),
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
# The masked language model's head: our path, name, is a matrix. The map to the
# ids and its bias are beside it: their rows for special tokens are left out here.
_HEAD = (
    (("transform", "kernel"), "cls.predictions.transform.dense.weight", True),
    (("transform", "bias"), "cls.predictions.transform.dense.bias", False),
    (("norm", "scale"), "cls.predictions.transform.LayerNorm.weight", False),
    (("norm", "bias"), "cls.predictions.transform.LayerNorm.bias", False),
)
_HEAD_BIAS = "cls.predictions.bias"
_DECODER = "cls.predictions.decoder.weight"
_DECODER_BIAS = "cls.predictions.decoder.bias"   # the same bias under a second name
# Output bias that an export gives the special tokens: they get no probability,
# as here, and the number is finite in float16 too.
_NEVER = -1e4
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
  names = {_plain_name(name): name for name in tensors}
  found = {plain: np.asarray(tensors[name]) for plain, name in names.items()}
  depth = _depth(found)
  needed = [name for _, name, _ in _EMBEDDINGS] + [_TOKEN_TYPE] + [
      _LAYER.format(i) + name for i in range(depth) for _, name, _ in _IN_LAYER]
  rest = sorted(found.keys() - set(needed) - set(_BUFFERS))
  unknown = [n for n in rest if n.startswith(("embeddings.", "encoder."))]
  problems = [f"missing: {n}" for n in needed if n not in found]
  problems += [f"not known in a BERT encoder: {names[n]}" for n in unknown]
  _refuse(problems, source)
  _refuse(_wrong_shapes(found, depth), source)

  params = {}
  for path, name, _ in _EMBEDDINGS:
    _put(params, path, found[name].astype(np.float32))
  _put(params, ("inputs", "token_type"), found[_TOKEN_TYPE][0].astype(np.float32))
  for path, name, is_transposed in _IN_LAYER:
    layers = [found[_LAYER.format(i) + name].astype(np.float32) for i in range(depth)]
    stacked = np.stack([x.T if is_transposed else x for x in layers])
    _put(params, ("blocks", "layers") + path, stacked)
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
  params = {path: np.asarray(x, np.float32) for path, x in _flatten(params)}
  if ("blocks", "final_norm", "scale") in params:
    raise errors.UserError(
        "An encoder trained with model.norm='pre' is not a BERT and cannot be "
        "exported as one. Train with model.norm='post' to export.")
  wanted = {path: name for path, name, _ in _EMBEDDINGS}
  in_layer = {("blocks", "layers") + path: (name, is_transposed)
              for path, name, is_transposed in _IN_LAYER}
  known = {*wanted, ("inputs", "token_type"), *in_layer}
  _refuse([f"missing: {'/'.join(path)}" for path in sorted(known - params.keys())]
          + [f"not known: {'/'.join(path)}" for path in sorted(params.keys() - known)],
          "the encoder's parameters")
  tensors = {name: params[path] for path, name in wanted.items()}
  tensors[_TOKEN_TYPE] = params["inputs", "token_type"][None]
  for path, (name, is_transposed) in in_layer.items():
    for i, x in enumerate(params[path]):
      tensors[_LAYER.format(i) + name] = np.ascontiguousarray(x.T if is_transposed else x)
  return {prefix + name: x for name, x in tensors.items()}


def masked_lm_from_hugging_face(tensors, *, num_special, source="the given tensors"):
  """Turns the tensors of a Hugging Face BertForMaskedLM into those of a MaskedLM.

  For DNABERT's weights: config.tokens.vocabulary="dnabert" (num_special=5),
  model.name="masked_lm" and model.head="transform", model.norm="post".

  Args:
    tensors: {name: array}; those of BertForPreTraining will do.
    num_special: ids below this one are no classes (`Vocabulary.num_special`).
    source: where they come from, for messages.

  Returns:
    (params, left_out): {"encoder": …, "head": …} of float32 arrays; and what
    had no place there, as `from_hugging_face` says it, with the map and bias of
    the special tokens. The head is that of tie_embeddings=True if the map to
    the ids is absent or equals the word table, otherwise of False.

  Raises:
    UserError: as `from_hugging_face`, for the head too.
  """
  encoder, left_out = from_hugging_face(tensors, source=source)
  found = {_plain_name(name): np.asarray(x, np.float32) for name, x in tensors.items()}
  # Releases differ in which of the two names of the bias they write.
  if _DECODER_BIAS in found:
    found.setdefault(_HEAD_BIAS, found[_DECODER_BIAS])
  vocab_size, width = encoder["word"].shape
  expected = {name: (width, width) if is_matrix else (width,) for _, name, is_matrix in _HEAD}
  expected[_HEAD_BIAS] = (vocab_size,)
  problems = [f"missing: {name}" for name in expected if name not in found]
  expected |= {name: shape for name, shape in (
      (_DECODER, (vocab_size, width)), (_DECODER_BIAS, (vocab_size,))) if name in found}
  problems += [f"{name} has shape {list(found[name].shape)}, expected {list(shape)}"
               for name, shape in expected.items()
               if name in found and found[name].shape != shape]
  if not problems and _DECODER_BIAS in found and not np.array_equal(
      found[_DECODER_BIAS], found[_HEAD_BIAS]):
    problems.append(f"{_DECODER_BIAS} and {_HEAD_BIAS} are one bias, but differ")
  if not 0 <= num_special < vocab_size:
    problems.append(f"num_special={num_special}, but the word table has {vocab_size} rows")
  _refuse(problems, source, "BertForMaskedLM")
  head = {}
  for path, name, is_transposed in _HEAD:
    _put(head, path, found[name].T if is_transposed else found[name])
  bias = found[_HEAD_BIAS][num_special:]
  is_tied = _DECODER not in found or np.array_equal(found[_DECODER], encoder["word"])
  if is_tied:
    head["bias"] = bias
  else:
    head["out"] = {"kernel": found[_DECODER][num_special:].T, "bias": bias}
  left_out = [line for line in left_out
              if _plain_name(line.split(" ")[0]) not in expected]
  left_out += [f"{name} rows 0..{num_special - 1}: special tokens are no classes"
               for name in (_HEAD_BIAS, *(() if is_tied else (_DECODER,))) if num_special]
  return {"encoder": encoder, "head": head}, left_out


def masked_lm_to_hugging_face(params):
  """Turns the parameters of a MaskedLM into the tensors of a BertForMaskedLM.

  Special tokens, which have no class here, get the output bias -10,000: no
  probability. An untied map gets zeros in their rows.

  Args:
    params: {"encoder": …, "head": …} with model.head="transform".

  Returns:
    {name: float32 array}; the map to the ids is among them, tied or not.

  Raises:
    UserError: the parameters are not those of such a model.
  """
  head = {path: np.asarray(x, np.float32) for path, x in _flatten(params["head"])}
  if not any(path[0] == "transform" for path in head):
    raise errors.UserError(
        "A model trained with model.head='linear' has not the head of a BERT. Export "
        "its encoder with to_hugging_face, or train with model.head='transform'.")
  tensors = to_hugging_face(params["encoder"], prefix="bert.")
  words = tensors["bert." + _WORDS]
  is_tied = not any(path[0] == "out" for path in head)
  bias_path = ("bias",) if is_tied else ("out", "bias")
  known = {bias_path, *(path for path, _, _ in _HEAD),
           *(() if is_tied else (("out", "kernel"),))}
  _refuse([f"missing: {'/'.join(path)}" for path in sorted(known - head.keys())]
          + [f"not known: {'/'.join(path)}" for path in sorted(head.keys() - known)],
          "the head's parameters", "BertForMaskedLM")
  for path, name, is_transposed in _HEAD:
    tensors[name] = np.ascontiguousarray(head[path].T if is_transposed else head[path])
  num_special = len(words) - len(head[bias_path])
  bias = np.concatenate([np.full(num_special, _NEVER, np.float32), head[bias_path]])
  rows = words if is_tied else np.concatenate(
      [np.zeros((num_special, words.shape[1]), np.float32), head["out", "kernel"].T])
  # Copies: safetensors keeps no two names for one array.
  return tensors | {_HEAD_BIAS: bias, _DECODER_BIAS: bias.copy(), _DECODER: rows.copy()}


def hugging_face_config(params, *, num_heads):
  """What `transformers.BertConfig` must be told about exported weights.

  Args:
    params: nested dict of an encoder's parameters, or of a MaskedLM's.
    num_heads: attention heads; the arrays do not show them.

  Returns:
    dict, ready for config.json.
  """
  head = {}
  if "head" in params:
    head = dict(architectures=["BertForMaskedLM"],
                tie_word_embeddings="out" not in params["head"])
    params = params["encoder"]
  vocab_size, width = params["word"].shape
  up = params["blocks"]["layers"]["feed_forward"]["up"]["kernel"]
  return dict(
      model_type="bert", vocab_size=vocab_size, hidden_size=width,
      num_hidden_layers=up.shape[0], num_attention_heads=num_heads,
      intermediate_size=up.shape[2], hidden_act="gelu", layer_norm_eps=1e-12,
      max_position_embeddings=params["inputs"]["position"].shape[0],
      type_vocab_size=1, **head)


def read_safetensors(path):
  """{name: array} of a .safetensors file. UserError if it is not one."""
  from safetensors import SafetensorError  # optional: extra [hf]
  from safetensors import numpy as safetensors_numpy
  try:
    return safetensors_numpy.load_file(path)
  except (OSError, SafetensorError, KeyError, TypeError) as error:
    raise errors.UserError(f"{path} could not be read as .safetensors: {error}. "
                           "Give a file of float32 or float16 tensors.") from error


def write_safetensors(path, tensors):
  """Writes {name: array}; the file appears complete or not at all."""
  from safetensors import numpy as safetensors_numpy
  # transformers refuses files that do not say where they come from.
  content = safetensors_numpy.save(tensors, metadata={"format": "pt"})
  files.write_atomically(path, lambda part: part.write_bytes(content))


def _plain_name(name):
  name = name.removeprefix("bert.")
  name = re.sub(r"LayerNorm\.gamma$", "LayerNorm.weight", name)
  return re.sub(r"LayerNorm\.beta$", "LayerNorm.bias", name)


def _depth(found):
  numbers = [int(m[1]) for m in (re.match(r"encoder\.layer\.(\d+)\.", n) for n in found) if m]
  return max(numbers, default=0) + 1


def _wrong_shapes(found, depth):
  """One line for each tensor whose shape contradicts the others."""
  first = _LAYER.format(0)
  width = found[_WORDS].shape[-1]
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


def _refuse(problems, source, wanted="BertModel"):
  if problems:
    what = "encoder" if wanted == "BertModel" else "masked language model"
    raise errors.UserError(
        f"{source}: not the weights of a BERT {what} as needed here.\n  "
        + "\n  ".join(problems)
        + f"\nGive the weights of a {wanted}, complete and with its usual names.")


def _put(tree, path, leaf):
  for key in path[:-1]:
    tree = tree.setdefault(key, {})
  tree[path[-1]] = leaf


def _flatten(tree, path=()):
  for key, value in tree.items():
    if hasattr(value, "items"):
      yield from _flatten(value, path + (key,))
    else:
      yield path + (key,), value
