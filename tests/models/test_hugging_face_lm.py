import math

import builders
import jax
import numpy as np
import pytest

from dnajax.models import hugging_face, safetensors_files, types
from dnajax.models import hugging_face_lm as convert
from dnajax.shell import errors

pytest.importorskip("safetensors")


def with_head(fixture, *, is_tied=True, seed=0):
  """The fixture's encoder as part of a BertForMaskedLM with a random head."""
  rng = np.random.default_rng(seed)
  draw = lambda *shape: rng.normal(0, 0.3, shape).astype(np.float32)
  tensors = {"bert." + name: x for name, x in fixture["model"].items() if "pooler" not in name}
  bias = draw(70)
  word = tensors["bert.embeddings.word_embeddings.weight"]
  return tensors | {
      "cls.predictions.transform.dense.weight": draw(32, 32),
      "cls.predictions.transform.dense.bias": draw(32),
      "cls.predictions.transform.LayerNorm.weight": 1 + draw(32),
      "cls.predictions.transform.LayerNorm.bias": draw(32),
      "cls.predictions.bias": bias, "cls.predictions.decoder.bias": bias.copy(),
      "cls.predictions.decoder.weight": word.copy() if is_tied else draw(70, 32)}


def slow_logits(tensors, hidden):
  """BertForMaskedLM's head on one vector [32] in float64, by its tensors' names."""
  t = {name.removeprefix("cls.predictions."): np.asarray(x, np.float64)
       for name, x in tensors.items()}
  x = t["transform.dense.weight"] @ hidden + t["transform.dense.bias"]
  x = np.array([0.5 * v * (1 + math.erf(v / math.sqrt(2))) for v in x])
  x = (x - x.mean()) / np.sqrt(x.var() + 1e-12)
  x = x * t["transform.LayerNorm.weight"] + t["transform.LayerNorm.bias"]
  return t["decoder.weight"] @ x + t["bias"]


def masked_lm_model(is_tied):
  return builders.masked_lm_model(
      tokenizer=builders.any_tokenizer(70, 65), max_positions=24, width=32, depth=2,
      num_heads=2, mlp_width=64, head="transform", tie_embeddings=is_tied)


def everything_scored(ids, pad_mask):
  """Inputs in which nothing is hidden and every position is scored."""
  return types.Inputs(masked=types.nothing_hidden(builders.tokens(ids, pad_mask)))


@pytest.mark.parametrize("is_tied", [True, False])
def test_the_logits_are_those_of_the_imported_masked_language_model(fixture, is_tied):
  tensors = with_head(fixture, is_tied=is_tied)
  params, left_out = convert.from_hugging_face(tensors, num_special=5)
  ids, pad_mask = fixture["inputs"]["ids"], fixture["inputs"]["pad_mask"]
  batch, model = everything_scored(ids, pad_mask), masked_lm_model(is_tied)
  shapes = lambda tree: jax.tree.map(lambda x: (x.shape, str(x.dtype)), tree)
  expected = jax.eval_shape(lambda: model.init(jax.random.key(0), batch))["params"]
  assert shapes(params) == shapes(jax.tree.map(
      lambda x: x.value, expected, is_leaf=lambda x: hasattr(x, "names")))
  got = builders.logits(model, params, batch)
  assert got.shape == (4, 20, 65)
  for b in range(4):
    for l in range(20):
      want = slow_logits(tensors, np.asarray(fixture["hidden"]["2"][b, l], np.float64))
      np.testing.assert_allclose(got[b, l], want[5:], atol=2e-5)
  assert any("cls.predictions.bias rows 0..4" in line for line in left_out)
  assert not any("transform" in line for line in left_out)


def test_the_bias_of_an_untied_decoder_is_the_one_that_counts(fixture):
  # transformers 5 writes both of an untied model, and adds the decoder's.
  tensors = with_head(fixture, is_tied=False)
  wanted, _ = convert.from_hugging_face(tensors, num_special=5)
  tensors["cls.predictions.bias"] = tensors["cls.predictions.bias"] + 1
  got, left_out = convert.from_hugging_face(tensors, num_special=5)
  jax.tree.map(np.testing.assert_array_equal, wanted, got)
  assert any(line.startswith("cls.predictions.bias [70]: differs from "
                             "cls.predictions.decoder.bias") for line in left_out)


@pytest.mark.parametrize("is_tied", [True, False])
def test_a_masked_language_model_goes_out_as_it_came_in(fixture, is_tied):
  tensors = with_head(fixture, is_tied=is_tied)
  params, _ = convert.from_hugging_face(tensors, num_special=5)
  back = convert.to_hugging_face(params)
  assert back.keys() == tensors.keys()
  for name, x in tensors.items():
    if name in ("cls.predictions.bias", "cls.predictions.decoder.bias"):
      np.testing.assert_array_equal(back[name][5:], x[5:])
      assert (back[name][:5] == -1e4).all()        # special tokens: no probability
    elif name == "cls.predictions.decoder.weight" and not is_tied:
      np.testing.assert_array_equal(back[name][5:], x[5:])
      assert (back[name][:5] == 0).all()
    elif "token_type" in name:
      np.testing.assert_array_equal(back[name], x[:1])
    else:
      np.testing.assert_array_equal(back[name], x)
  again, _ = convert.from_hugging_face(back, num_special=5)
  jax.tree.map(np.testing.assert_array_equal, params, again)
  config = hugging_face.hugging_face_config(params, num_heads=2)
  assert config["tie_word_embeddings"] is is_tied and config["vocab_size"] == 70
  assert config["architectures"] == ["BertForMaskedLM"]


def test_an_exported_masked_language_model_survives_a_file(tmp_path, fixture):
  params, _ = convert.from_hugging_face(with_head(fixture), num_special=5)
  safetensors_files.write(tmp_path / "lm.safetensors",
                            convert.to_hugging_face(params))
  again, _ = convert.from_hugging_face(
      safetensors_files.read(tmp_path / "lm.safetensors"), num_special=5)
  jax.tree.map(np.testing.assert_array_equal, params, again)


@pytest.mark.parametrize("change", ["no decoder", "one bias", "old names", "pretraining"])
def test_every_release_of_the_head_is_read_alike(fixture, change):
  tensors = with_head(fixture)
  params, _ = convert.from_hugging_face(tensors, num_special=5)
  if change == "no decoder":
    del tensors["cls.predictions.decoder.weight"], tensors["cls.predictions.decoder.bias"]
  elif change == "one bias":
    del tensors["cls.predictions.bias"]
  elif change == "old names":
    tensors = {name.replace("LayerNorm.weight", "LayerNorm.gamma")
               .replace("LayerNorm.bias", "LayerNorm.beta"): x for name, x in tensors.items()}
  else:
    tensors["cls.seq_relationship.weight"] = np.zeros((2, 32), np.float32)
  again, left_out = convert.from_hugging_face(tensors, num_special=5)
  jax.tree.map(np.testing.assert_array_equal, params, again)
  assert any("seq_relationship" in line for line in left_out) == (change == "pretraining")
  assert not any("transform" in line for line in left_out)


def test_all_that_is_wrong_with_a_head_is_named(fixture):
  tensors = with_head(fixture)
  del tensors["cls.predictions.transform.dense.bias"]
  tensors["cls.predictions.transform.LayerNorm.bias"] = np.zeros(31, np.float32)
  with pytest.raises(errors.UserError) as error:
    convert.from_hugging_face(tensors, num_special=5, source="their.safetensors")
  for text in ("their.safetensors", "missing: cls.predictions.transform.dense.bias",
               "LayerNorm.bias has shape [31], expected [32]", "BertForMaskedLM"):
    assert text in str(error.value)
  tensors = with_head(fixture)
  tensors["cls.predictions.decoder.bias"] = tensors["cls.predictions.bias"] + 1  # tied
  with pytest.raises(errors.UserError, match="one bias, but differ"):
    convert.from_hugging_face(tensors, num_special=5)
  with pytest.raises(errors.UserError, match="num_special=70"):
    convert.from_hugging_face(with_head(fixture), num_special=70)
  with pytest.raises(errors.UserError, match="missing: cls.predictions.bias"):
    convert.from_hugging_face(fixture["model"], num_special=5)


def test_a_head_that_is_no_berts_is_not_exported(fixture):
  params, _ = convert.from_hugging_face(with_head(fixture), num_special=5)
  linear = {"out": {"kernel": np.zeros((32, 65)), "bias": np.zeros(65)}}
  with pytest.raises(errors.UserError, match="objective.head='linear'"):
    convert.to_hugging_face({**params, "head": linear})
  less = {name: x for name, x in params["head"].items() if name != "norm"}
  with pytest.raises(errors.UserError, match="missing: norm/bias\n.*missing: norm/scale"):
    convert.to_hugging_face({**params, "head": less})
