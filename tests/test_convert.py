import math
import pathlib

import jax
import numpy as np
import pytest

from dnajax import convert, errors
from dnajax.masking import types
from dnajax.models import encoder, layers, masked_lm

pytest.importorskip("safetensors")

FIXTURE = pathlib.Path(__file__).parent / "data" / "bert_fixture.safetensors"
SPEC = layers.Spec(width=32, depth=2, num_heads=2, mlp_width=64)
ENCODER = encoder.Encoder(SPEC, vocab_size=70, max_positions=24)


@pytest.fixture(scope="module")
def fixture():
  groups = {"model": {}, "inputs": {}, "hidden": {}}
  for name, x in convert.read_safetensors(FIXTURE).items():
    group, _, rest = name.partition("/")
    groups[group][rest] = x
  return groups


@pytest.mark.parametrize("changes", [{}, dict(scan_unroll=2), dict(attention="xla")])
def test_the_encoder_equals_transformers_bert(fixture, changes):
  params, _ = convert.from_hugging_face(fixture["model"])
  ids, pad_mask = fixture["inputs"]["ids"], fixture["inputs"]["pad_mask"]
  module = encoder.Encoder(layers.Spec(**{**vars(SPEC), **changes}), 70, 24)
  hidden = jax.jit(module.apply)({"params": params}, ids, pad_mask)
  # Padded places too: they see the real ones, and transformers keeps them.
  assert np.abs(hidden - fixture["hidden"]["2"]).max() <= 1e-5


def test_every_block_equals_that_of_transformers(fixture):
  params, _ = convert.from_hugging_face(fixture["model"])
  ids, pad_mask = fixture["inputs"]["ids"], fixture["inputs"]["pad_mask"]
  one = encoder.Encoder(layers.Spec(**{**vars(SPEC), "depth": 1}), 70, 24)
  first = dict(params, blocks=jax.tree.map(lambda x: x[:1], params["blocks"]))
  hidden = one.apply({"params": first}, ids, pad_mask)
  assert np.abs(hidden - fixture["hidden"]["1"]).max() <= 1e-5


def test_parameters_have_the_shapes_of_the_encoder(fixture):
  params, _ = convert.from_hugging_face(fixture["model"])
  expected = jax.eval_shape(
      lambda: ENCODER.init(jax.random.key(0), fixture["inputs"]["ids"],
                           fixture["inputs"]["pad_mask"]))["params"]
  shapes = lambda tree: jax.tree.map(lambda x: (x.shape, str(x.dtype)), tree)
  assert shapes(params) == shapes(jax.tree.map(
      lambda x: x.value, expected, is_leaf=lambda x: hasattr(x, "names")))


@pytest.mark.parametrize("prefix", ["", "bert."])
def test_export_gives_back_what_was_imported(fixture, prefix):
  given = {prefix + name: x for name, x in fixture["model"].items()}
  params, left_out = convert.from_hugging_face(given)
  back = convert.to_hugging_face(params, prefix=prefix)
  token_type = prefix + "embeddings.token_type_embeddings.weight"
  for name, x in given.items():
    if "pooler" in name:
      assert any(line.startswith(name) for line in left_out) and name not in back
    else:
      np.testing.assert_array_equal(back[name], x[:1] if name == token_type else x)
  assert len(back) == len(given) - 2
  assert any("token_type" in line and "rows 1..1" in line for line in left_out)
  again, nothing = convert.from_hugging_face(back)
  assert not nothing
  jax.tree.map(np.testing.assert_array_equal, params, again)


def test_heads_are_reported_and_old_names_and_buffers_understood(fixture):
  given = {"bert." + name.replace("LayerNorm.weight", "LayerNorm.gamma")
           .replace("LayerNorm.bias", "LayerNorm.beta"): x
           for name, x in fixture["model"].items()}
  given["bert.embeddings.position_ids"] = np.arange(24)[None]
  given["classifier.weight"] = np.zeros((68, 32), np.float32)
  params, left_out = convert.from_hugging_face(given)
  plain, _ = convert.from_hugging_face(fixture["model"])
  jax.tree.map(np.testing.assert_array_equal, params, plain)
  assert "classifier.weight [68, 32]" in left_out


def test_all_missing_and_unknown_tensors_are_named(fixture):
  given = dict(fixture["model"])
  del given["encoder.layer.0.attention.self.key.bias"], given["embeddings.LayerNorm.weight"]
  given["encoder.layer.1.adapter.weight"] = np.zeros(3)
  with pytest.raises(errors.UserError) as error:
    convert.from_hugging_face(given, source="their.safetensors")
  for text in ("their.safetensors", "missing: encoder.layer.0.attention.self.key.bias",
               "missing: embeddings.LayerNorm.weight",
               "not known in a BERT encoder: encoder.layer.1.adapter.weight"):
    assert text in str(error.value)


def test_a_gap_between_layers_is_a_missing_layer(fixture):
  given = {name.replace("layer.1.", "layer.2."): x for name, x in fixture["model"].items()}
  with pytest.raises(errors.UserError, match="missing: encoder.layer.1.attention"):
    convert.from_hugging_face(given)


def test_shapes_that_contradict_each_other_are_named(fixture):
  given = dict(fixture["model"])
  given["encoder.layer.1.output.dense.weight"] = np.zeros((64, 32), np.float32)
  with pytest.raises(errors.UserError, match=r"layer.1.output.dense.weight has shape \[64, 32\]"):
    convert.from_hugging_face(given)


def test_tensors_of_something_else_are_refused():
  with pytest.raises(errors.UserError, match="missing: embeddings.word_embeddings.weight"):
    convert.from_hugging_face({"conv.weight": np.zeros(3)})


def test_a_pre_norm_encoder_is_not_exported(fixture):
  params, _ = convert.from_hugging_face(fixture["model"])
  params["blocks"]["final_norm"] = dict(scale=np.ones(32), bias=np.zeros(32))
  with pytest.raises(errors.UserError, match="norm='post'"):
    convert.to_hugging_face(params)


def test_missing_and_surplus_parameters_are_named_on_export(fixture):
  params, _ = convert.from_hugging_face(fixture["model"])
  del params["word"]
  params["extra"] = np.zeros(2)
  with pytest.raises(errors.UserError, match="missing: word\n.*not known: extra"):
    convert.to_hugging_face(params)


def test_the_exported_config_describes_the_exported_tensors(fixture):
  params, _ = convert.from_hugging_face(fixture["model"])
  config = convert.hugging_face_config(params, num_heads=2)
  assert config == dict(
      model_type="bert", vocab_size=70, hidden_size=32, num_hidden_layers=2,
      num_attention_heads=2, intermediate_size=64, hidden_act="gelu", layer_norm_eps=1e-12,
      max_position_embeddings=24, type_vocab_size=1)


def test_files_go_out_and_come_back(tmp_path, fixture):
  path = tmp_path / "model.safetensors"
  convert.write_safetensors(path, fixture["model"])
  assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors"]
  back = convert.read_safetensors(path)
  assert back.keys() == fixture["model"].keys()


def test_a_file_that_is_not_safetensors_is_refused_by_name(tmp_path):
  path = tmp_path / "damaged.safetensors"
  path.write_bytes(b"not a tensor file at all")
  for name in (path, tmp_path / "absent.safetensors"):
    with pytest.raises(errors.UserError, match=name.name):
      convert.read_safetensors(name)


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
  return masked_lm.MaskedLM(
      vocab_size=70, num_classes=65, max_positions=24, width=32, depth=2, num_heads=2,
      mlp_width=64, dropout=0.0, head="transform", tie_embeddings=is_tied)


def everything_scored(ids, pad_mask):
  """A Masked in which nothing is hidden and every position is scored."""
  shape, nowhere = ids.shape, np.zeros(ids.shape, bool)
  positions = np.broadcast_to(np.arange(shape[1], dtype=np.int32), shape)
  return types.Masked(
      encoder_ids=ids, encoder_positions=positions, is_attended=pad_mask, is_hidden=nowhere,
      is_absent=nowhere, restore_ids=positions, pad_mask=pad_mask, scored_ids=positions,
      targets=ids, is_selected=pad_mask, is_unselected=nowhere, is_in_place=True)


@pytest.mark.parametrize("is_tied", [True, False])
def test_the_logits_are_those_of_the_imported_masked_language_model(fixture, is_tied):
  tensors = with_head(fixture, is_tied=is_tied)
  params, left_out = convert.masked_lm_from_hugging_face(tensors, num_special=5)
  ids, pad_mask = fixture["inputs"]["ids"], fixture["inputs"]["pad_mask"]
  batch, model = everything_scored(ids, pad_mask), masked_lm_model(is_tied)
  shapes = lambda tree: jax.tree.map(lambda x: (x.shape, str(x.dtype)), tree)
  expected = jax.eval_shape(lambda: model.init(jax.random.key(0), batch))["params"]
  assert shapes(params) == shapes(jax.tree.map(
      lambda x: x.value, expected, is_leaf=lambda x: hasattr(x, "names")))
  got = jax.jit(model.apply)({"params": params}, batch)
  assert got.shape == (4, 20, 65)
  for b in range(4):
    for l in range(20):
      want = slow_logits(tensors, np.asarray(fixture["hidden"]["2"][b, l], np.float64))
      np.testing.assert_allclose(got[b, l], want[5:], atol=2e-5)
  assert any("cls.predictions.bias rows 0..4" in line for line in left_out)
  assert not any("transform" in line for line in left_out)


@pytest.mark.parametrize("is_tied", [True, False])
def test_a_masked_language_model_goes_out_as_it_came_in(fixture, is_tied):
  tensors = with_head(fixture, is_tied=is_tied)
  params, _ = convert.masked_lm_from_hugging_face(tensors, num_special=5)
  back = convert.masked_lm_to_hugging_face(params)
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
  again, _ = convert.masked_lm_from_hugging_face(back, num_special=5)
  jax.tree.map(np.testing.assert_array_equal, params, again)
  config = convert.hugging_face_config(params, num_heads=2)
  assert config["tie_word_embeddings"] is is_tied and config["vocab_size"] == 70
  assert config["architectures"] == ["BertForMaskedLM"]


def test_an_exported_masked_language_model_survives_a_file(tmp_path, fixture):
  params, _ = convert.masked_lm_from_hugging_face(with_head(fixture), num_special=5)
  convert.write_safetensors(tmp_path / "lm.safetensors",
                            convert.masked_lm_to_hugging_face(params))
  again, _ = convert.masked_lm_from_hugging_face(
      convert.read_safetensors(tmp_path / "lm.safetensors"), num_special=5)
  jax.tree.map(np.testing.assert_array_equal, params, again)


@pytest.mark.parametrize("change", ["no decoder", "one bias", "old names", "pretraining"])
def test_every_release_of_the_head_is_read_alike(fixture, change):
  tensors = with_head(fixture)
  params, _ = convert.masked_lm_from_hugging_face(tensors, num_special=5)
  if change == "no decoder":
    del tensors["cls.predictions.decoder.weight"], tensors["cls.predictions.decoder.bias"]
  elif change == "one bias":
    del tensors["cls.predictions.bias"]
  elif change == "old names":
    tensors = {name.replace("LayerNorm.weight", "LayerNorm.gamma")
               .replace("LayerNorm.bias", "LayerNorm.beta"): x for name, x in tensors.items()}
  else:
    tensors["cls.seq_relationship.weight"] = np.zeros((2, 32), np.float32)
  again, left_out = convert.masked_lm_from_hugging_face(tensors, num_special=5)
  jax.tree.map(np.testing.assert_array_equal, params, again)
  assert any("seq_relationship" in line for line in left_out) == (change == "pretraining")
  assert not any("transform" in line for line in left_out)


def test_all_that_is_wrong_with_a_head_is_named(fixture):
  tensors = with_head(fixture)
  del tensors["cls.predictions.transform.dense.bias"]
  tensors["cls.predictions.transform.LayerNorm.bias"] = np.zeros(31, np.float32)
  with pytest.raises(errors.UserError) as error:
    convert.masked_lm_from_hugging_face(tensors, num_special=5, source="their.safetensors")
  for text in ("their.safetensors", "missing: cls.predictions.transform.dense.bias",
               "LayerNorm.bias has shape [31], expected [32]", "BertForMaskedLM"):
    assert text in str(error.value)
  tensors = with_head(fixture)
  tensors["cls.predictions.decoder.bias"] = tensors["cls.predictions.bias"] + 1
  with pytest.raises(errors.UserError, match="one bias, but differ"):
    convert.masked_lm_from_hugging_face(tensors, num_special=5)
  with pytest.raises(errors.UserError, match="num_special=70"):
    convert.masked_lm_from_hugging_face(with_head(fixture), num_special=70)
  with pytest.raises(errors.UserError, match="missing: cls.predictions.bias"):
    convert.masked_lm_from_hugging_face(fixture["model"], num_special=5)


def test_a_head_that_is_no_berts_is_not_exported(fixture):
  params, _ = convert.masked_lm_from_hugging_face(with_head(fixture), num_special=5)
  linear = {"out": {"kernel": np.zeros((32, 65)), "bias": np.zeros(65)}}
  with pytest.raises(errors.UserError, match="model.head='linear'"):
    convert.masked_lm_to_hugging_face({**params, "head": linear})
  less = {name: x for name, x in params["head"].items() if name != "norm"}
  with pytest.raises(errors.UserError, match="missing: norm/bias\n.*missing: norm/scale"):
    convert.masked_lm_to_hugging_face({**params, "head": less})
