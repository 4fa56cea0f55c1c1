"""Small models and hand-made Masked batches for the tests of models."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from dnajax.masking import types
from dnajax.models import mae, masked_lm

VOCAB, CLASSES, LENGTH = 34, 32, 12


def masked_lm_model(**changes):
  return masked_lm.MaskedLM(**{**_ENCODER, **changes})


def mae_model(**changes):
  sizes = dict(decoder_width=16, decoder_depth=2, decoder_num_heads=2, decoder_mlp_width=24)
  return mae.MaskedAutoencoder(**{**_ENCODER, **sizes, **changes})


_ENCODER = dict(
    vocab_size=VOCAB, num_classes=CLASSES, max_positions=16, width=16, depth=3, num_heads=2,
    mlp_width=32, dropout=0.0, norm="post", dtype="float32", attention="explicit",
    remat="none", scan_unroll=1)


def random_params(model, masked, seed=0):
  """Parameters with nothing left at zero or one, unboxed."""
  params = nn.unbox(jax.jit(model.init)(jax.random.key(seed), masked))["params"]
  rng = np.random.default_rng(seed)
  return jax.tree.map(
      lambda x: x + jnp.asarray(rng.normal(0, 0.2, x.shape), jnp.float32), params)


def sentences(seed=0, num_rows=3, length=LENGTH, lengths=(12, 9, 4)):
  """Random token ids [B, L], pad_mask [B, L], and half of the real tokens picked."""
  rng = np.random.default_rng(seed)
  ids = rng.integers(2, VOCAB, (num_rows, length)).astype(np.int32)
  pad_mask = np.arange(length) < np.resize(lengths, num_rows)[:, None]
  is_masked = pad_mask & (rng.random(ids.shape) < 0.5)
  return ids, pad_mask, is_masked


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
  return types.Masked(is_in_place=kind != "drop",
                      **{name: jnp.asarray(x) for name, x in out.items()})


def logits(model, params, batch, **kwargs):
  return np.asarray(jax.jit(lambda p, b: model.apply({"params": p}, b, **kwargs))(params, batch))
