"""A Hugging Face BertForMaskedLM in and out, as plain NumPy arrays.

Parameters are those of `predictors.MaskedLM` with head="transform" (BERT's and
DNABERT's) on a transformer encoder with norm="post".
"""

import numpy as np

from dnajax.models import hugging_face
from dnajax.shell import errors

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
_DECODER_BIAS = "cls.predictions.decoder.bias"   # the same bias, or the one that counts
# Output bias that an export gives the special tokens: they get no probability,
# as here, and the number is finite in float16 too.
_NEVER = -1e4


def from_hugging_face(tensors, *, num_special, source="the given tensors"):
  """Turns the tensors of a Hugging Face BertForMaskedLM into those of a MaskedLM.

  For DNABERT's weights: config.tokens.vocabulary="dnabert" (num_special=5),
  config.objective=dict(name="masked_lm", head="transform"), config.encoder.norm="post".

  Args:
    tensors: {name: array}; those of BertForPreTraining will do.
    num_special: ids below this one are no classes (`Vocabulary.num_special`).
    source: where they come from, for messages.

  Returns:
    (params, left_out): {"encoder": …, "head": …} of float32 arrays; and what
    had no place there, as `hugging_face.from_hugging_face` says it, with the map and bias of
    the special tokens. The head is that of tie_embeddings=True if the map to
    the ids is absent or equals the word table, otherwise of False. An untied model
    may have two biases under the two names; the decoder's is the one it adds.

  Raises:
    UserError: as `hugging_face.from_hugging_face`, for the head too.
  """
  encoder, left_out = hugging_face.from_hugging_face(tensors, source=source)
  found = {hugging_face.plain_name(name): np.asarray(x, np.float32)
           for name, x in tensors.items()}
  # Releases differ in which of the two names of the bias they write.
  if _DECODER_BIAS in found:
    found.setdefault(_HEAD_BIAS, found[_DECODER_BIAS])
  is_tied = _DECODER not in found or np.array_equal(found[_DECODER], encoder["word"])
  vocab_size, width = encoder["word"].shape
  expected = {name: (width, width) if is_matrix else (width,) for _, name, is_matrix in _HEAD}
  expected[_HEAD_BIAS] = (vocab_size,)
  problems = [f"missing: {name}" for name in expected if name not in found]
  expected |= {name: shape for name, shape in (
      (_DECODER, (vocab_size, width)), (_DECODER_BIAS, (vocab_size,))) if name in found}
  problems += [f"{name} has shape {list(found[name].shape)}, expected {list(shape)}"
               for name, shape in expected.items()
               if name in found and found[name].shape != shape]
  has_two = not problems and _DECODER_BIAS in found and not np.array_equal(
      found[_DECODER_BIAS], found[_HEAD_BIAS])
  if has_two and is_tied:
    problems.append(f"{_DECODER_BIAS} and {_HEAD_BIAS} are one bias, but differ")
  if not 0 <= num_special < vocab_size:
    problems.append(f"num_special={num_special}, but the word table has {vocab_size} rows")
  hugging_face.refuse(problems, source, "BertForMaskedLM")
  head = {}
  for path, name, is_transposed in _HEAD:
    hugging_face.put(head, path, found[name].T if is_transposed else found[name])
  bias = found[_DECODER_BIAS if has_two else _HEAD_BIAS][num_special:]
  if is_tied:
    head["bias"] = bias
  else:
    head["out"] = {"kernel": found[_DECODER][num_special:].T, "bias": bias}
  left_out = [line for line in left_out
              if hugging_face.plain_name(line.split(" ")[0]) not in expected]
  left_out += [f"{name} rows 0..{num_special - 1}: special tokens are no classes"
               for name in (_DECODER_BIAS if has_two else _HEAD_BIAS,
                            *(() if is_tied else (_DECODER,))) if num_special]
  if has_two:
    left_out.append(f"{_HEAD_BIAS} [{vocab_size}]: differs from {_DECODER_BIAS}, which is "
                    "the one that an untied BertForMaskedLM adds")
  return {"encoder": encoder, "head": head}, left_out


def to_hugging_face(params):
  """Turns the parameters of a MaskedLM into the tensors of a BertForMaskedLM.

  Special tokens, which have no class here, get the output bias -10,000: no
  probability. An untied map gets zeros in their rows.

  Args:
    params: {"encoder": …, "head": …} with objective.head="transform".

  Returns:
    {name: float32 array}; the map to the ids is among them, tied or not.

  Raises:
    UserError: the parameters are not those of such a model.
  """
  head = {path: np.asarray(x, np.float32) for path, x in hugging_face.flatten(params["head"])}
  if not any(path[0] == "transform" for path in head):
    raise errors.UserError(
        "A model trained with objective.head='linear' has not the head of a BERT. Export "
        "its encoder alone, or train with objective.head='transform'.")
  tensors = hugging_face.to_hugging_face(params["encoder"], prefix="bert.")
  words = tensors["bert." + hugging_face.WORDS]
  is_tied = not any(path[0] == "out" for path in head)
  bias_path = ("bias",) if is_tied else ("out", "bias")
  known = {bias_path, *(path for path, _, _ in _HEAD),
           *(() if is_tied else (("out", "kernel"),))}
  hugging_face.refuse(
      [f"missing: {'/'.join(path)}" for path in sorted(known - head.keys())]
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
