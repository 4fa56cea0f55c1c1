"""Small models and hand-made Masked batches for the tests of models and losses."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from dnajax.masking import types as masking_types
from dnajax.models import types
from dnajax.models.encoders import transformer
from dnajax.tokens import kmers, vocabulary
from dnajax.tokens import tokenizer as tokenizer_lib
from dnajax.training.objectives import causal_lm, classifier, mae, masked_lm

LENGTH = 12                      # tokens
TOKENIZER = tokenizer_lib.Tokenizer(vocabulary.Vocabulary(2), stride=2, length=2 * LENGTH)
VOCAB, CLASSES = TOKENIZER.vocabulary.size, TOKENIZER.vocabulary.num_classes  # 18, 16


@dataclasses.dataclass(frozen=True)
class AnyVocabulary:
  """Of any size, for models of other sizes than k-mers have."""
  size: int
  num_classes: int
  add_cls: bool = False

  @property
  def num_special(self):
    return self.size - self.num_classes


@dataclasses.dataclass(frozen=True)
class AnyTokenizer:
  """Has what an objective asks for."""
  vocabulary: AnyVocabulary
  num_tokens: int = LENGTH
  frames: None = None


def any_tokenizer(size, num_classes):
  return AnyTokenizer(AnyVocabulary(size, num_classes))


def encoder(**changes):
  """A small Transformer part, without dropout."""
  return transformer.Transformer(**{**dict(
      width=16, depth=3, num_heads=2, mlp_width=32, max_positions=16, dropout=0.0), **changes})


def model(objective, *, on=None, tokenizer=TOKENIZER, heads=(), **changes):
  """The module of an objective class; changes are keys of it, or of the encoder.

  on: encoder part; None for `encoder` with those of the changes that are its keys.
  """
  own = {field.name for field in dataclasses.fields(objective)}
  rest = {key: value for key, value in changes.items() if key not in own}
  part = objective(**{key: value for key, value in changes.items() if key in own})
  return part.module(on or encoder(**rest), tokenizer, dict(heads))


def masked_lm_model(**changes):
  return model(masked_lm.MaskedLM, **changes)


def mae_model(**changes):
  sizes = dict(decoder_width=16, decoder_depth=2, decoder_num_heads=2, decoder_mlp_width=24)
  return model(mae.MaskedAutoencoder, **{**sizes, **changes})


def causal_lm_model(**changes):
  return model(causal_lm.CausalLM, **changes)


def classifier_model(**changes):
  return model(classifier.Classifier, **changes)


def inputs_of(batch):
  """models.types.Inputs of a Masked, or of Tokens."""
  if isinstance(batch, types.Inputs):
    return batch
  if isinstance(batch, kmers.Tokens):
    return types.Inputs(tokens=batch)
  return types.Inputs(masked=batch)


def shapes(module, batch):
  """Abstract parameters, unboxed."""
  return jax.eval_shape(
      lambda: nn.unbox(module.init(jax.random.key(0), inputs_of(batch))))["params"]


def random_params(module, batch, seed=0):
  """Parameters with nothing left at zero or one, unboxed."""
  init = jax.jit(lambda key: module.init(key, inputs_of(batch)))
  params = nn.unbox(init(jax.random.key(seed)))["params"]
  rng = np.random.default_rng(seed)
  return jax.tree.map(
      lambda x: x + jnp.asarray(rng.normal(0, 0.2, x.shape), jnp.float32), params)


def outputs(module, params, batch, **kwargs):
  """models.types.Outputs, compiled."""
  return jax.jit(lambda p, b: module.apply({"params": p}, b, **kwargs))(
      params, inputs_of(batch))


def logits_of(module, params, batch):
  """The same without leaving the device, to differentiate."""
  return module.apply({"params": params}, inputs_of(batch)).logits


def logits(module, params, batch, **kwargs):
  """Logits at the predicted positions, NumPy."""
  return np.asarray(outputs(module, params, batch, **kwargs).logits)


def encode(module, params, ids, pad_mask):
  """Features of whole sequences."""
  return jax.jit(functools.partial(module.apply, method="encode"))(
      {"params": params}, jnp.asarray(ids), jnp.asarray(pad_mask))


def sentences(seed=0, num_rows=3, length=LENGTH, lengths=(12, 9, 4)):
  """Random token ids [B, L], pad_mask [B, L], and half of the real tokens picked."""
  rng = np.random.default_rng(seed)
  ids = rng.integers(2, VOCAB, (num_rows, length)).astype(np.int32)
  pad_mask = np.arange(length) < np.resize(lengths, num_rows)[:, None]
  is_masked = pad_mask & (rng.random(ids.shape) < 0.5)
  return ids, pad_mask, is_masked


def tokens(ids, pad_mask):
  """Tokens whose real ones are all maskable."""
  ids, pad_mask = jnp.asarray(ids), jnp.asarray(pad_mask)
  return kmers.Tokens(ids=ids, is_maskable=pad_mask, pad_mask=pad_mask)


def masked(kind, ids, pad_mask, is_masked, num_kept=None, num_scored=None):
  """The definition of `replace`, `hide` and `drop`, one row at a time."""
  num_rows, length = ids.shape
  num_kept = num_kept or length
  num_scored = num_scored or length
  slots = num_kept if kind == "drop" else length
  out = dict(
      encoder_ids=np.zeros((num_rows, slots), np.int32),
      encoder_positions=np.zeros((num_rows, slots), np.int32),
      is_attended=np.zeros((num_rows, slots), bool),
      is_hidden=np.zeros((num_rows, slots), bool),
      is_absent=np.zeros((num_rows, length), bool),
      restore_ids=np.zeros((num_rows, length), np.int32),
      pad_mask=pad_mask,
      scored_ids=np.zeros((num_rows, num_scored), np.int32),
      targets=np.full((num_rows, num_scored), 2, np.int32),
      is_selected=np.zeros((num_rows, num_scored), bool),
      is_unselected=np.zeros((num_rows, num_scored), bool))
  for b in range(num_rows):
    for slot, position in enumerate(np.flatnonzero(is_masked[b])):
      out["scored_ids"][b, slot] = position
      out["targets"][b, slot] = ids[b, position]
      out["is_selected"][b, slot] = True
    if kind == "drop":
      kept = np.flatnonzero(pad_mask[b] & ~is_masked[b])
      assert len(kept) <= slots
      out["is_absent"][b] = True
      for slot, position in enumerate(kept):
        out["encoder_ids"][b, slot] = ids[b, position]
        out["encoder_positions"][b, slot] = position
        out["is_attended"][b, slot] = True
        out["is_absent"][b, position] = False
        out["restore_ids"][b, position] = slot
    else:
      out["encoder_positions"][b] = out["restore_ids"][b] = np.arange(length)
      out["is_attended"][b] = pad_mask[b]
      out["encoder_ids"][b] = ids[b]
      if kind == "replace":
        out["encoder_ids"][b][is_masked[b]] = 0
      else:
        out["is_attended"][b] &= ~is_masked[b]
        out["is_hidden"][b] = out["is_absent"][b] = is_masked[b]
  return masking_types.Masked(is_in_place=kind != "drop",
                              **{name: jnp.asarray(x) for name, x in out.items()})
