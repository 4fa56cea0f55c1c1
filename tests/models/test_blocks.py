import math

import builders
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from dnajax.models import blocks
from dnajax.models.encoders import transformer
from dnajax.shell import errors


def _inputs(seed=0, shape=(3, 7, 8)):
  rng = np.random.default_rng(seed)
  x = jnp.asarray(rng.normal(size=shape), jnp.float32)
  is_attended = np.arange(shape[1]) < np.array([7, 4, 1])[:, None]
  return x, jnp.asarray(is_attended)


def _spec(**changes):
  sizes = dict(width=8, depth=3, num_heads=2, mlp_width=12, dropout=0.0)
  return transformer.Transformer(**{**sizes, **changes})


def _params(module, x, is_attended, seed=0):
  init = jax.jit(lambda key: module.init(key, x, is_attended, deterministic=True))
  params = nn.unbox(init(jax.random.key(seed)))
  rng = np.random.default_rng(seed)
  return jax.tree.map(lambda p: p + jnp.asarray(rng.normal(0, 0.3, p.shape), jnp.float32),
                      params)["params"]


def _slow_norm(x, p):
  return (x - x.mean()) / np.sqrt(x.var() + 1e-12) * p["scale"] + p["bias"]


def _slow_dense(x, p):
  return x @ p["kernel"] + p["bias"]


def _slow_block(x, attended, p, num_heads, norm):
  """One sequence [L, D], token by token and head by head, in float64."""
  erf = np.vectorize(math.erf)

  def attention(rows):
    q, k, v = (_slow_dense(rows, p["attention"][n]) for n in ("query", "key", "value"))
    size = rows.shape[1] // num_heads
    out = np.zeros_like(rows)
    for i in range(len(rows)):
      for h in range(num_heads):
        part = slice(h * size, (h + 1) * size)
        weights = {j: np.exp(q[i, part] @ k[j, part] / np.sqrt(size))
                   for j in range(len(rows)) if attended[j]}
        total = sum(weights.values())
        out[i, part] = sum(w / total * v[j, part] for j, w in weights.items())
    return _slow_dense(out, p["attention"]["out"])

  def feed_forward(rows):
    h = _slow_dense(rows, p["feed_forward"]["up"])
    return _slow_dense(h * 0.5 * (1 + erf(h / np.sqrt(2))), p["feed_forward"]["down"])

  for name, branch in (("attention", attention), ("feed_forward", feed_forward)):
    normalise = lambda rows, name=name: np.array([_slow_norm(r, p[f"{name}_norm"]) for r in rows])
    x = normalise(x + branch(x)) if norm == "post" else x + branch(normalise(x))
  return x


@pytest.mark.parametrize("norm", ["post", "pre"])
@pytest.mark.parametrize("jit", [False, True])
def test_blocks_are_their_definition_applied_layer_by_layer(norm, jit):
  x, is_attended = _inputs()
  module = blocks.Blocks(_spec(norm=norm))
  params = _params(module, x, is_attended)
  run = lambda p: module.apply({"params": p}, x, is_attended, deterministic=True)
  got = (jax.jit(run) if jit else run)(params)
  for b in range(3):
    rows = np.asarray(x[b], np.float64)
    for i in range(3):
      layer = jax.tree.map(lambda a, i=i: np.asarray(a[i], np.float64), params["layers"])
      rows = _slow_block(rows, np.asarray(is_attended[b]), layer, 2, norm)
    if norm == "pre":
      final = jax.tree.map(np.asarray, params["final_norm"])
      rows = np.array([_slow_norm(r, final) for r in rows])
    np.testing.assert_allclose(got[b], rows, rtol=0, atol=5e-5)


def _gradients(spec, params, x, is_attended, **kwargs):
  def loss(params, x):
    y = blocks.Blocks(spec).apply({"params": params}, x, is_attended, **kwargs)
    return jnp.square(y).sum() + (y * jnp.cos(jnp.arange(y.size).reshape(y.shape))).sum()
  return jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))(params, x)


def test_remat_and_unrolling_change_neither_value_nor_gradient():
  x, is_attended = _inputs()
  params = _params(blocks.Blocks(_spec()), x, is_attended)
  found = [_gradients(_spec(dropout=0.3, **changes), params, x, is_attended, deterministic=False,
                      rngs={"dropout": jax.random.key(5)}) for changes in (
      {}, dict(remat="nothing_saveable"), dict(remat="dots_saveable", scan_unroll=2),
      dict(remat="dots_with_no_batch_dims_saveable"), dict(scan_unroll=99))]
  for got in found[1:]:
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4),
                 got, found[0])


def test_gradients_agree_with_finite_differences():
  x, is_attended = _inputs()
  for norm in ("post", "pre"):
    module = blocks.Blocks(_spec(norm=norm, depth=1))
    params = _params(module, x, is_attended)
    _, (grads, _) = _gradients(_spec(norm=norm, depth=1), params, x, is_attended,
                               deterministic=True)
    rng = np.random.default_rng(1)
    direction = jax.tree.map(lambda p, r=rng: jnp.asarray(r.normal(size=p.shape), jnp.float32),
                             params)
    values = [
        _gradients(_spec(norm=norm, depth=1),
                   jax.tree.map(lambda p, d, s=s: p + s * 1e-3 * d, params, direction),
                   x, is_attended, deterministic=True)[0] for s in (-1, 1)]
    slope = sum(jnp.vdot(g, d) for g, d in zip(jax.tree.leaves(grads), jax.tree.leaves(direction),
                                               strict=True))
    np.testing.assert_allclose((values[1] - values[0]) / 2e-3, slope, rtol=0.02)


def test_attention_of_the_library_equals_the_explicit_one():
  x, is_attended = _inputs()
  params = _params(blocks.Blocks(_spec()), x, is_attended)
  explicit, library = (
      _gradients(_spec(attention=a), params, x, is_attended, deterministic=True)
      for a in ("explicit", "xla"))
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4),
               explicit, library)


def test_dropout_differs_between_layers_and_keys_and_not_between_runs():
  x, is_attended = _inputs()
  spec = _spec(dropout=0.5)
  params = _params(blocks.Blocks(spec), x, is_attended)
  same_layers = {"layers": jax.tree.map(lambda p: jnp.stack([p[0]] * 3), params["layers"])}

  def run(seed, depth=3):
    cut = jax.tree.map(lambda p: p[:depth], same_layers)
    return np.asarray(blocks.Blocks(_spec(dropout=0.5, depth=depth)).apply(
        {"params": cut}, x, is_attended, deterministic=False,
        rngs={"dropout": jax.random.key(seed)}))

  np.testing.assert_array_equal(run(0), run(0))
  assert np.abs(run(0) - run(1)).max() > 0.1


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_bfloat16_computes_near_float32_and_returns_float32_logits(norm):
  ids, pad_mask, is_masked = builders.sentences()
  batch = builders.masked("drop", ids, pad_mask, is_masked, num_kept=8)
  model = builders.mae_model(norm=norm)
  params = nn.unbox(model.init(jax.random.key(0), builders.inputs_of(batch)))["params"]
  assert all(p.dtype == jnp.float32 for p in jax.tree.leaves(params))
  half = builders.mae_model(norm=norm, dtype="bfloat16")
  got = builders.logits(half, params, batch)
  assert got.dtype == np.float32
  assert builders.encode(half, params, ids, pad_mask).dtype == jnp.bfloat16
  np.testing.assert_allclose(got, builders.logits(model, params, batch), atol=0.02)


def test_too_many_tokens_are_refused_with_the_setting_that_limits_them():
  batch = builders.masked("replace", *builders.sentences())
  with pytest.raises(errors.UserError, match="12 tokens.*encoder.max_positions=11"):
    builders.random_params(builders.masked_lm_model(max_positions=11), batch)


def test_every_parameter_carries_logical_axis_names_of_its_rank():
  batch = builders.masked("drop", *builders.sentences(), num_kept=8)
  model = builders.mae_model(norm="pre")
  boxed = jax.eval_shape(lambda: model.init(jax.random.key(0), builders.inputs_of(batch)))["params"]
  seen = set()
  for leaf in jax.tree.leaves(boxed, is_leaf=lambda x: isinstance(x, nn.LogicallyPartitioned)):
    assert isinstance(leaf, nn.LogicallyPartitioned)
    assert len(leaf.names) == leaf.value.ndim
    seen |= set(leaf.names)
  assert seen == {"layers", "words", "positions", "embed", "heads", "mlp", "vocab", None}
