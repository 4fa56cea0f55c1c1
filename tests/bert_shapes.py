"""Random BERTs of six shapes whose numbers follow from a seed alone, on any machine.

NumPy promises the raw bits of PCG64 for good, not its normal draws; so a fixture need not
hold weights to be compared with.
"""

import dataclasses

import numpy as np

LENGTHS = (14, 9, 1)  # real tokens of the rows of a batch, padded to the first


@dataclasses.dataclass(frozen=True)
class Shape:
  """Sizes of a BERT, and which class of transformers it is."""
  depth: int
  num_heads: int
  head_size: int
  inner: int
  head: str            # of hugging_face: tied | untied | classes | none
  vocab_size: int = 69  # 5 special tokens and 64 3-mers

  @property
  def width(self):
    return self.num_heads * self.head_size

  @property
  def config(self):
    """Of transformers.BertConfig."""
    return dict(
        model_type="bert", vocab_size=self.vocab_size, hidden_size=self.width,
        num_hidden_layers=self.depth, num_attention_heads=self.num_heads,
        intermediate_size=self.inner, hidden_act="gelu", layer_norm_eps=1e-12,
        max_position_embeddings=24, type_vocab_size=2, architectures=[self.architecture],
        tie_word_embeddings=self.head != "untied", hidden_dropout_prob=0.1)

  @property
  def architecture(self):
    return {"none": "BertModel", "classes": "BertForTokenClassification"}.get(
        self.head, "BertForMaskedLM")


SHAPES = {
    "1x2x16": Shape(1, 2, 16, 48, "none"),
    "2x4x16": Shape(2, 4, 16, 128, "classes"),
    "3x2x32": Shape(3, 2, 32, 96, "tied"),
    "4x3x32": Shape(4, 3, 32, 200, "untied"),
    "6x2x64": Shape(6, 2, 64, 256, "tied"),
    "2x1x128": Shape(2, 1, 128, 64, "classes"),
}


def draws(seed):
  """Returns (*shape, scale) -> float32 array of evenly spread numbers around 0."""
  bits = np.random.PCG64(seed)

  def draw(*shape, scale):
    raw = bits.random_raw(int(np.prod(shape))) >> np.uint64(40)      # 24 bits
    return ((raw.astype(np.float64) / 2**23 - 1) * scale).astype(np.float32).reshape(shape)

  return draw


def tensors(shape, seed=0):
  """{name in transformers: float32 array}, larger than at initialisation."""
  draw, width = draws(seed), shape.width
  out = {}

  def matrix(name, rows, columns):
    out[name + ".weight"] = draw(rows, columns, scale=2 / np.sqrt(columns))
    out[name + ".bias"] = draw(rows, scale=0.3)

  def norm(name):
    out[name + ".weight"] = 1 + draw(width, scale=0.3)
    out[name + ".bias"] = draw(width, scale=0.3)

  for name, rows in (("word", shape.vocab_size), ("position", 24), ("token_type", 2)):
    out[f"embeddings.{name}_embeddings.weight"] = draw(rows, width, scale=0.2)
  norm("embeddings.LayerNorm")
  for i in range(shape.depth):
    layer = f"encoder.layer.{i}."
    for name in ("query", "key", "value"):
      matrix(layer + f"attention.self.{name}", width, width)
    matrix(layer + "attention.output.dense", width, width)
    norm(layer + "attention.output.LayerNorm")
    matrix(layer + "intermediate.dense", shape.inner, width)
    matrix(layer + "output.dense", width, shape.inner)
    norm(layer + "output.LayerNorm")
  if shape.head == "none":
    matrix("pooler.dense", width, width)
    return out
  out = {"bert." + name: x for name, x in out.items()}
  if shape.head == "classes":
    matrix("classifier", shape.vocab_size - 5, width)
    return out
  matrix("cls.predictions.transform.dense", width, width)
  norm("cls.predictions.transform.LayerNorm")
  out["cls.predictions.bias"] = draw(shape.vocab_size, scale=0.3)
  out["cls.predictions.decoder.bias"] = out["cls.predictions.bias"].copy()
  out["cls.predictions.decoder.weight"] = (
      out["bert.embeddings.word_embeddings.weight"].copy() if shape.head == "tied"
      else draw(shape.vocab_size, width, scale=0.2))
  return out


def inputs(shape, seed=0):
  """(ids [3, 14] int32, pad_mask [3, 14] bool), rows of LENGTHS."""
  bits = np.random.PCG64(1_000 + seed).random_raw(len(LENGTHS) * LENGTHS[0])
  ids = (bits >> np.uint64(40)).astype(np.int64) % shape.vocab_size
  pad_mask = np.arange(LENGTHS[0]) < np.array(LENGTHS)[:, None]
  return ids.reshape(len(LENGTHS), -1).astype(np.int32), pad_mask


def in_torch(shape, config, tensors):
  """What transformers makes of `inputs`, with config and tensors of the caller.

  Returns:
    (hidden states [N+1, B, L, D], logits [B, L, C] or None, names of the tensors that were
    not given).
  """
  import torch
  import transformers
  model = getattr(transformers, shape.architecture)(config).eval()
  missing, unexpected = model.load_state_dict(
      {name: torch.tensor(x) for name, x in tensors.items()}, strict=False)
  assert not unexpected
  ids, pad_mask = inputs(shape)
  with torch.no_grad():
    result = model(input_ids=torch.tensor(ids).long(), output_hidden_states=True,
                   attention_mask=torch.tensor(pad_mask).long())
  logits = getattr(result, "logits", None)
  return (np.stack([x.numpy() for x in result.hidden_states]),
          None if logits is None else logits.numpy(), missing)
