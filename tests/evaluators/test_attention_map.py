"""Attention: what the model gives out, against NumPy, and the means over it."""

import functools
import sys
from pathlib import Path

import evaluating
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dnajax.devices import partitioning
from dnajax.evaluators import attention_map
from dnajax.shell import errors

sys.path.insert(0, str(Path(__file__).parent.parent / "models"))
import builders  # noqa: E402

NUM_DEVICES = 8


def slow_probabilities(q, k, is_attended):
  """[L, D/H] queries and keys of one head -> softmax over the attended keys."""
  scores = q.astype(np.float64) @ k.astype(np.float64).T / np.sqrt(q.shape[-1])
  weights = np.exp(scores - scores.max(axis=-1, keepdims=True)) * is_attended
  return weights / weights.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("attention", ["explicit", "xla"])
@pytest.mark.parametrize("kind", ["mae", "masked_lm"])
def test_the_models_probabilities_are_the_softmax_of_their_queries_and_keys(kind, attention):
  model = getattr(builders, f"{kind}_model")(attention=attention)
  ids, pad_mask, is_masked = map(jnp.asarray, builders.sentences())
  params = builders.random_params(
      model, builders.masked("replace", ids, pad_mask, is_masked))
  _, kept = jax.jit(lambda params: model.apply(
      {"params": params}, ids, pad_mask, method="encode", mutable="intermediates",
      capture_intermediates=lambda module, _: isinstance(module, nn.Dense)
      and module.name in ("query", "key")))(params)
  layers = kept["intermediates"]["encoder"]["blocks"]["layers"]["attention"]
  got = np.asarray(layers["attention"][0])                         # [N, B, H, L, L]
  q, k = (np.asarray(layers[name]["__call__"][0]) for name in ("query", "key"))
  num_layers, num_rows, length, width = q.shape
  assert got.shape == (num_layers, num_rows, 2, length, length)
  q, k = (x.reshape(num_layers, num_rows, length, 2, width // 2) for x in (q, k))
  for n, b, h in np.ndindex(got.shape[:3]):
    want = slow_probabilities(q[n, b, :, h], k[n, b, :, h], pad_mask[b])
    np.testing.assert_allclose(got[n, b, h], want, atol=2e-5)


def test_asking_for_attention_changes_no_output_and_nobody_else_gets_it():
  model = builders.masked_lm_model()
  ids, pad_mask, is_masked = map(jnp.asarray, builders.sentences())
  batch = builders.masked("replace", ids, pad_mask, is_masked)
  assert set(jax.eval_shape(model.init, jax.random.key(0), builders.inputs_of(batch))) == {
      "params"}
  params = builders.random_params(model, batch)

  def encode(params, **more):
    return model.apply({"params": params}, ids, pad_mask, method="encode", **more)

  asked = functools.partial(encode, mutable="intermediates")
  np.testing.assert_allclose(jax.jit(encode)(params), jax.jit(asked)(params)[0], rtol=1e-6)
  programs = [str(jax.make_jaxpr(fn)(params)) for fn in (encode, asked)]
  plain, more = (program.count("= exp ") for program in programs)
  assert 0 < plain < more               # a softmax, and one more only if asked for


def slow_means(probabilities, pad_mask):
  """{metric: [N, H]}, one query at a time."""
  num_layers, num_rows, num_heads, length, _ = probabilities.shape
  out = {name: np.zeros((num_layers, num_heads)) for name in attention_map.UNITS}
  for n, h in np.ndindex(num_layers, num_heads):
    entropy, relative, largest = [], [], []
    for b in range(num_rows):
      for i in np.flatnonzero(pad_mask[b]):
        p = probabilities[n, b, h, i][pad_mask[b]].astype(np.float64)
        entropy.append(-sum(x * np.log(x) for x in p if x > 0))
        largest.append(p.max())
        if len(p) > 1:
          relative.append(entropy[-1] / np.log(len(p)))
    for name, values in zip(attention_map.UNITS, (entropy, relative, largest), strict=True):
      out[name][n, h] = np.mean(values)
  return out


def test_means_are_over_attended_queries_and_keys():
  rng = np.random.default_rng(0)
  pad_mask = np.arange(6) < np.array([[6], [3], [1], [0]])
  weights = rng.random((2, 4, 3, 6, 6)) ** 4 * pad_mask[:, None, None, :]
  weights[:, :, :, 0] = np.eye(6)[0]                # a query that looks at one key
  weights[:, 3] = 1
  p = (weights / weights.sum(axis=-1, keepdims=True)).astype(np.float32)
  got = attention_map.sums(jnp.asarray(p), jnp.asarray(pad_mask))
  for name, want in slow_means(p, pad_mask).items():
    total, weight = got[name]
    np.testing.assert_allclose(np.asarray(total) / int(weight), want, rtol=1e-5)


def test_even_attention_has_the_entropy_of_the_number_of_keys():
  pad_mask = jnp.arange(8) < 5
  p = jnp.where(pad_mask, 0.2, 0) * jnp.ones((1, 2, 1, 8, 1))
  got = attention_map.sums(p, jnp.stack([pad_mask] * 2))
  means = {name: float(total[0, 0] / weight) for name, (total, weight) in got.items()}
  assert means == pytest.approx(
      {"entropy": np.log(5), "relative_entropy": 1, "max_weight": 0.2}, rel=1e-5)


def run_of(data_dir, mesh=None, spec=None, **options):
  runner, params = evaluating.build_on(data_dir, "attention_map", mesh=mesh, spec=spec,
                                       **dict(num_records=20) | options)
  return runner, evaluating.values(runner, params)


def test_numbers_do_not_depend_on_batches_devices_or_kind_of_attention(tiny_data):
  _, alone = run_of(tiny_data, batch_size=7)
  assert 0 < alone["relative_entropy_layer2"] <= 1 and alone["num_records"] == 20
  assert "entropy_layer3" not in alone
  mesh = partitioning.make_mesh({"data": 4, "fsdp": 2, "tensor": 1})
  with partitioning.use(mesh):
    _, spread = run_of(tiny_data, mesh=mesh, batch_size=16)
  assert spread == pytest.approx(alone, rel=1e-4)
  _, fused = run_of(tiny_data, spec=evaluating.model(attention="xla"), batch_size=20)
  assert fused == pytest.approx(alone, rel=1e-4)


def test_an_encoder_without_attention_gives_no_values_and_says_so(tiny_data):
  spec = evaluating.model(encoder="conv", objective="masked_lm")
  runner, values = run_of(tiny_data, spec=spec, batch_size=20)
  assert values == {"num_records": 20} and runner.figures() == {}
  assert "no attention" in runner.protocol


def test_the_figure_writes_every_value_into_its_cell(tiny_data):
  pytest.importorskip("matplotlib")
  evaluator, got = run_of(tiny_data, batch_size=20)
  panels = evaluator.figures()["attention_map"].axes[:3]
  for axes, form, scale, name in zip(
      panels, ("{:.2f}", "{:.1f}", "{:.1f}"), (1, 100, 100), attention_map.UNITS,
      strict=True):
    cells = np.asarray(axes.images[0].get_array())                 # [N, H]
    assert [text.get_text() for text in axes.texts] == [form.format(x) for x in cells.ravel()]
    np.testing.assert_allclose(
        cells.mean(axis=1), [scale * got[f"{name}_layer{n}"] for n in (1, 2)], rtol=1e-6)


@pytest.mark.parametrize(("options", "text"), [
    (dict(num_records=0), "at least 1"), (dict(split="nowhere"), "no split"),
    (dict(heads=3), "There is no config.evals.it.heads")])
def test_wrong_options_are_refused(tiny_data, options, text):
  with pytest.raises(errors.UserError, match=text):
    run_of(tiny_data, **options)
