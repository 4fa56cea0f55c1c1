import builders
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from dnajax.config import build
from dnajax.masking import corrupt
from dnajax.models.encoders import conv
from dnajax.shell import errors, parts
from dnajax.training.objectives import causal_lm, mae, masked_lm

PART = conv.Conv(width=8, depth=3, kernel_size=3, dilations=(1, 2), mlp_width=12, dropout=0.0)


class Masking:
  def __init__(self, corruption):
    self.corruption = corruption


def params_of(module, ids, pad_mask, seed=0):
  params = nn.unbox(jax.jit(module.init)(jax.random.key(seed), ids, pad_mask))["params"]
  rng = np.random.default_rng(seed)
  return jax.tree.map(lambda p: p + jnp.asarray(rng.normal(0, 0.3, p.shape), jnp.float32), params)


def sentences(**kwargs):
  ids, pad_mask, _ = builders.sentences(**kwargs)
  return jnp.asarray(ids), jnp.asarray(pad_mask)


@pytest.mark.parametrize("size, dilation", [(1, 1), (3, 1), (3, 4), (5, 2), (3, 20)])
def test_around_is_its_definition(size, dilation):
  x = np.random.default_rng(0).normal(size=(2, 7, 3)).astype(np.float32)
  got = conv.around(jnp.asarray(x), size=size, dilation=dilation)
  for b in range(2):
    for i in range(7):
      places = [i + (j - size // 2) * dilation for j in range(size)]
      want = [x[b, p] if 0 <= p < 7 else np.zeros(3) for p in places]
      np.testing.assert_array_equal(got[b, i], np.concatenate(want))


def test_padding_and_batch_composition_change_nothing():
  ids, pad_mask = sentences()
  module = PART.module(builders.VOCAB)
  params = params_of(module, ids, pad_mask)
  run = jax.jit(lambda *rows: module.apply({"params": params}, *rows))
  together = run(ids, pad_mask)
  for b, length in enumerate((12, 9, 4)):
    alone = run(ids[b:b + 1, :length], pad_mask[b:b + 1, :length])
    np.testing.assert_allclose(together[b, :length], alone[0], atol=1e-5)
  other = run(jnp.where(pad_mask, ids, 5), pad_mask)
  np.testing.assert_array_equal(np.asarray(other)[np.asarray(pad_mask)],
                                np.asarray(together)[np.asarray(pad_mask)])


def test_hidden_tokens_are_not_seen_and_every_parameter_is_used():
  ids, pad_mask, is_masked = builders.sentences()
  module = builders.mae_model(on=PART)
  batches = [builders.masked("hide", np.where(is_masked, filler, ids).astype(np.int32),
                             pad_mask, is_masked) for filler in (3, 9)]
  params = builders.random_params(module, batches[0])
  np.testing.assert_array_equal(*(builders.logits(module, params, one) for one in batches))
  grads = jax.jit(jax.grad(lambda p: jnp.square(
      builders.logits_of(module, p, batches[0])).sum()))(params)
  assert all(np.isfinite(g).all() and np.abs(g).max() > 0 for g in jax.tree.leaves(grads))


def test_it_sees_as_far_as_its_dilations_reach():
  ids, pad_mask = sentences(lengths=(12,))
  module = conv.Conv(width=8, depth=2, dilations=(1, 2), mlp_width=12, dropout=0.0).module(
      builders.VOCAB)
  params = params_of(module, ids, pad_mask)
  changed = module.apply({"params": params}, ids.at[:, 6].set((ids[:, 6] - 1) % 16 + 2), pad_mask)
  moved = np.abs(changed - module.apply({"params": params}, ids, pad_mask)).max(axis=(0, 2)) > 1e-6
  np.testing.assert_array_equal(np.flatnonzero(moved), np.arange(3, 10))


@pytest.mark.parametrize("setup, message", [
    (parts.Setup(masking=Masking(corrupt.Drop())), "must be 'transformer'.*drop"),
    (parts.Setup(objective=causal_lm.CausalLM()), "must be 'transformer'.*both")])
def test_what_convolutions_cannot_do_is_refused_by_name(setup, message):
  build.check(PART, parts.Setup(masking=Masking(corrupt.Hide()), objective=masked_lm.MaskedLM()),
              "encoder")
  with pytest.raises(errors.UserError, match=f"encoder.name='conv' {message}"):
    build.check(PART, setup, "encoder")


@pytest.mark.parametrize("changes, key", [
    (dict(kernel_size=2), "kernel_size"), (dict(dilations=()), "dilations"),
    (dict(dilations=(1, 0)), "dilations"), (dict(width=0), "width"),
    (dict(dropout=-1.0), "dropout")])
def test_wrong_sizes_are_refused_by_their_key(changes, key):
  with pytest.raises(errors.UserError, match=f"encoder.{key}="):
    build.check(conv.Conv(**changes), parts.Setup(), "encoder")


def test_flops_are_two_per_weight_of_the_blocks():
  ids, pad_mask = sentences()
  params = params_of(PART.module(builders.VOCAB), ids, pad_mask)
  weights = sum(x.size for path, x in jax.tree_util.tree_leaves_with_path(params)
                if "kernel" in jax.tree_util.keystr(path))
  assert PART.flops_per_token(100) == 2 * weights


def test_bfloat16_computes_near_float32():
  ids, pad_mask = sentences()
  params = params_of(PART.module(builders.VOCAB), ids, pad_mask)
  half = conv.Conv(**{**vars(PART), "dtype": "bfloat16"}).module(builders.VOCAB)
  got = half.apply({"params": params}, ids, pad_mask)
  assert got.dtype == jnp.bfloat16
  np.testing.assert_allclose(
      got.astype(jnp.float32), PART.module(builders.VOCAB).apply({"params": params}, ids, pad_mask),
      atol=0.15)


def test_its_decoder_has_its_options():
  part = mae.MaskedAutoencoder(decoder_width=16)
  module = part.module(conv.Conv(dropout=0.25, dtype="bfloat16"), builders.TOKENIZER, {})
  spec = module.decoder_spec
  assert (spec.width, spec.dropout, spec.dtype, spec.norm, spec.max_positions) == (
      16, 0.25, "bfloat16", "pre", 12)
