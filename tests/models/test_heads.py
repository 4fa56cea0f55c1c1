import builders
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from dnajax.models import heads, label_heads


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_masked_mean_is_the_mean_over_real_tokens(dtype):
  rng = np.random.default_rng(0)
  hidden = jnp.asarray(rng.normal(size=(3, 5, 4)), dtype)
  pad_mask = jnp.asarray([[1, 1, 1, 1, 1], [1, 0, 1, 0, 0], [0, 0, 0, 0, 0]], bool)
  got = jax.jit(heads.masked_mean)(hidden, pad_mask)
  assert got.dtype == jnp.float32 and got.shape == (3, 4)
  exact = np.asarray(hidden, np.float32)
  np.testing.assert_allclose(got[0], exact[0].mean(0), rtol=1e-6)
  np.testing.assert_allclose(got[1], exact[1, [0, 2]].mean(0), rtol=1e-6)
  np.testing.assert_array_equal(got[2], np.zeros(4))


def test_masked_mean_never_reads_padding():
  hidden = jnp.ones((1, 3, 2)).at[0, 2].set(jnp.nan)
  got = heads.masked_mean(hidden, jnp.asarray([[True, True, False]]))
  np.testing.assert_array_equal(got, np.ones((1, 2)))


def rounded(x):
  """What is left of a number in bfloat16, as float64."""
  return np.asarray(jnp.asarray(x).astype(jnp.bfloat16).astype(jnp.float32), np.float64)


@pytest.mark.parametrize("kind, is_tied", [
    ("linear", False), ("linear", True), ("transform", False), ("transform", True)])
def test_logits_of_bfloat16_features_are_summed_in_float32(kind, is_tied):
  rng = np.random.default_rng(0)
  x = jnp.asarray(rng.normal(size=(2, 3, 64)), jnp.bfloat16)
  rows = jnp.asarray(rng.normal(size=(16, 64)), jnp.float32) if is_tied else None
  module = heads.VocabularyHead(16, 0.0, "bfloat16", kind)
  params = nn.unbox(module.init(jax.random.key(0), x, deterministic=True, class_rows=rows))
  params = jax.tree.map(
      lambda p: p + jnp.asarray(rng.normal(size=p.shape), jnp.float32), params)["params"]
  got, seen = module.apply({"params": params}, x, deterministic=True, class_rows=rows,
                           capture_intermediates=True, mutable="intermediates")
  assert got.dtype == jnp.float32
  # Whatever comes before the last map is of bfloat16, and the last map is exact of it.
  before = seen["intermediates"]["norm"]["__call__"][0] if kind == "transform" else x
  matrix = rows.T if is_tied else params["out"]["kernel"]
  bias = params["bias"] if is_tied else params["out"]["bias"]
  want = rounded(before) @ rounded(matrix) + np.asarray(bias, np.float64)
  np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype, tolerance", [("float32", 1e-5), ("bfloat16", 2e-2)])
@pytest.mark.parametrize("is_rows", [False, True])
def test_gradients_of_the_product_are_those_of_the_plain_one(dtype, tolerance, is_rows):
  rng = np.random.default_rng(0)
  draw = lambda *shape: jnp.asarray(rng.normal(size=shape), jnp.float32)
  x, matrix, weight = draw(2, 3, 8), draw(5, 8) if is_rows else draw(8, 5), draw(2, 3, 5)
  product = heads.times_rows if is_rows else heads.times_matrix
  got = jax.grad(lambda x, m: (product(x, m, dtype=dtype) * weight).sum(), (0, 1))(x, matrix)
  want = jax.grad(lambda x, m: ((x @ (m.T if is_rows else m)) * weight).sum(), (0, 1))(x, matrix)
  for a, b in zip(got, want, strict=True):
    assert a.dtype == jnp.float32
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * 4)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_a_label_head_is_its_formula(pooling):
  rng = np.random.default_rng(0)
  pooled = {name: jnp.asarray(rng.normal(size=(4, 6)), jnp.float32) for name in ("mean", "cls")}
  module = label_heads.LabelHead(3, pooling, 0.5)
  params = nn.unbox(module.init(jax.random.key(0), pooled, deterministic=True))["params"]
  params = jax.tree.map(lambda p: p + jnp.asarray(rng.normal(size=p.shape), jnp.float32), params)
  x = np.asarray(pooled[pooling])
  if pooling == "cls":
    x = np.tanh(x @ params["pooler"]["kernel"] + params["pooler"]["bias"])
  want = x @ params["to_labels"]["kernel"] + params["to_labels"]["bias"]
  assert ("pooler" in params) == (pooling == "cls")
  np.testing.assert_allclose(
      module.apply({"params": params}, pooled, deterministic=True), want, atol=1e-5)
  dropped = module.apply({"params": params}, pooled, deterministic=False,
                         rngs={"dropout": jax.random.key(0)})
  assert np.abs(dropped - want).max() > 0.01


@pytest.mark.parametrize("make", [builders.masked_lm_model, builders.mae_model,
                                  builders.causal_lm_model, builders.classifier_model])
def test_any_model_reads_labels_from_the_mean_of_what_its_encoder_saw(make):
  ids, pad_mask, is_masked = builders.sentences()
  model = make(heads={"genus": label_heads.LabelHead(5), "none": None})
  if make is builders.mae_model:
    batch = builders.masked("drop", ids, pad_mask, is_masked, num_kept=8)
  elif make is builders.masked_lm_model:
    batch = builders.masked("replace", ids, pad_mask, is_masked)
  else:
    batch = builders.tokens(ids, pad_mask)
  params = builders.random_params(model, batch)
  assert "heads_genus" in params and "heads_none" not in params
  out = builders.outputs(model, params, batch)
  assert set(out.pooled) == {"mean"}               # there is no [CLS]
  head = params["heads_genus"]["to_labels"]
  np.testing.assert_allclose(out.labels["genus"],
                             out.pooled["mean"] @ head["kernel"] + head["bias"], atol=1e-5)
  if make is builders.mae_model:                   # what was dropped is not in the mean
    other = builders.masked("drop", np.where(is_masked, 5, ids).astype(np.int32), pad_mask,
                            is_masked, num_kept=8)
    np.testing.assert_array_equal(builders.outputs(model, params, other).pooled["mean"],
                                  out.pooled["mean"])
  got = model.apply({"params": params}, jnp.asarray(ids), jnp.asarray(pad_mask),
                    method="label_logits")["genus"]
  mean = heads.masked_mean(builders.encode(model, params, ids, pad_mask), jnp.asarray(pad_mask))
  np.testing.assert_allclose(got, mean @ head["kernel"] + head["bias"], atol=1e-5)


def test_all_objectives_have_the_same_encoder():
  ids, pad_mask, is_masked = builders.sentences()
  masked = builders.masked("replace", ids, pad_mask, is_masked)
  tokens = builders.tokens(ids, pad_mask)
  trees = [builders.shapes(make(), batch)["encoder"] for make, batch in (
      (builders.masked_lm_model, masked), (builders.mae_model, masked),
      (builders.causal_lm_model, tokens), (builders.classifier_model, tokens))]
  assert all(tree == trees[0] for tree in trees)
