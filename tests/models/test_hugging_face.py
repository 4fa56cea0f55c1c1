import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dnajax.models import hugging_face as convert
from dnajax.models import safetensors_files
from dnajax.models.encoders import transformer
from dnajax.shell import errors

pytest.importorskip("safetensors")

PART = transformer.Transformer(width=32, depth=2, num_heads=2, mlp_width=64, max_positions=24)
ENCODER = PART.module(70)


@pytest.mark.parametrize("changes", [{}, dict(scan_unroll=2), dict(attention="xla")])
def test_the_encoder_equals_transformers_bert(fixture, changes):
  params, _ = convert.from_hugging_face(fixture["model"])
  ids, pad_mask = (jnp.asarray(fixture["inputs"][name]) for name in ("ids", "pad_mask"))
  module = dataclasses.replace(PART, **changes).module(70)
  hidden = jax.jit(module.apply)({"params": params}, ids, pad_mask)
  # Padded places too: they see the real ones, and transformers keeps them.
  assert np.abs(hidden - fixture["hidden"]["2"]).max() <= 1e-5


def test_every_block_equals_that_of_transformers(fixture):
  params, _ = convert.from_hugging_face(fixture["model"])
  ids, pad_mask = (jnp.asarray(fixture["inputs"][name]) for name in ("ids", "pad_mask"))
  one = dataclasses.replace(PART, depth=1).module(70)
  first = dict(params, blocks=jax.tree.map(lambda x: x[:1], params["blocks"]))
  hidden = jax.jit(one.apply)({"params": first}, ids, pad_mask)
  assert np.abs(hidden - fixture["hidden"]["1"]).max() <= 1e-5


def test_parameters_have_the_shapes_of_the_encoder(fixture):
  params, _ = convert.from_hugging_face(fixture["model"])
  expected = jax.eval_shape(
      lambda: ENCODER.init(jax.random.key(0), jnp.asarray(fixture["inputs"]["ids"]),
                           jnp.asarray(fixture["inputs"]["pad_mask"])))["params"]
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
      architectures=["BertModel"], model_type="bert", vocab_size=70, hidden_size=32,
      num_hidden_layers=2,
      num_attention_heads=2, intermediate_size=64, hidden_act="gelu", layer_norm_eps=1e-12,
      max_position_embeddings=24, type_vocab_size=1)


def test_files_go_out_and_come_back(tmp_path, fixture):
  path = tmp_path / "model.safetensors"
  safetensors_files.write(path, fixture["model"])
  assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors"]
  back = safetensors_files.read(path)
  assert back.keys() == fixture["model"].keys()


def test_a_file_that_is_not_safetensors_is_refused_by_name(tmp_path):
  path = tmp_path / "damaged.safetensors"
  path.write_bytes(b"not a tensor file at all")
  for name in (path, tmp_path / "absent.safetensors"):
    with pytest.raises(errors.UserError, match=name.name):
      safetensors_files.read(name)
