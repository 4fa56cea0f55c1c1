"""Six shapes against numbers of transformers, every hidden state and logit to 1e-5."""

import importlib.util
import pathlib

import bert_shapes
import builders
import jax
import numpy as np
import pytest

from dnajax.models import (
  blocks,
  hugging_face,
  hugging_face_lm,
  hugging_face_token_classes,
  safetensors_files,
  types,
)
from dnajax.shell import errors

pytest.importorskip("safetensors")

DATA = pathlib.Path(__file__).parent.parent / "data"
TOLERANCE = 1e-5
NUM_SPECIAL = 5
OF_ALL_IDS = [f"cls.predictions.{name}" for name in (
    "bias", "decoder.bias", "decoder.weight")]


@pytest.fixture(scope="module")
def recorded():
  return safetensors_files.read(DATA / "bert_shapes_fixture.safetensors")


def imported(shape, tensors):
  """Our parameters, and the model they are of."""
  sizes = dict(width=shape.width, depth=shape.depth, num_heads=shape.num_heads,
               mlp_width=shape.inner, max_positions=24, norm="post",
               tokenizer=builders.any_tokenizer(shape.vocab_size,
                                                shape.vocab_size - NUM_SPECIAL))
  if shape.head == "none":
    params, _ = hugging_face.from_hugging_face(tensors)
    return {"encoder": params}, builders.classifier_model(**sizes)
  if shape.head == "classes":
    params, _ = hugging_face_token_classes.from_hugging_face(
        tensors, num_classes=shape.vocab_size - NUM_SPECIAL)
    return params, builders.masked_lm_model(head="linear", **sizes)
  params, _ = hugging_face_lm.from_hugging_face(tensors, num_special=NUM_SPECIAL)
  return params, builders.masked_lm_model(
      head="transform", tie_embeddings=shape.head == "tied", **sizes)


def computed(shape, params, model):
  """(hidden states [N+1, B, L, D], logits of the k-mers or None) of our model."""
  ids, pad_mask = bert_shapes.inputs(shape)
  tokens = builders.tokens(ids, pad_mask)
  inputs = (types.Inputs(tokens=tokens) if shape.head == "none"
            else types.Inputs(masked=types.nothing_hidden(tokens)))
  keep = lambda module, name: name == "__call__" and isinstance(
      module, blocks.Block | blocks.AddPositions)
  outputs, kept = jax.jit(lambda p: model.apply(
      {"params": p}, inputs, capture_intermediates=keep, mutable=["intermediates"]))(params)
  encoder = kept["intermediates"]["encoder"]
  of_blocks, _ = encoder["blocks"]["layers"]["__call__"][0]
  return (np.concatenate([encoder["inputs"]["__call__"][0][None], of_blocks]),
          None if outputs.logits is None else np.asarray(outputs.logits))


def exported(shape, params):
  if shape.head == "none":
    return hugging_face.to_hugging_face(params["encoder"])
  kind = hugging_face_token_classes if shape.head == "classes" else hugging_face_lm
  return kind.to_hugging_face(params)


def of_kmers(shape, logits):
  """transformers' logits without those of the special tokens, which are no classes here."""
  return logits if shape.head == "classes" else logits[..., NUM_SPECIAL:]


@pytest.mark.parametrize("name", bert_shapes.SHAPES)
def test_every_hidden_state_and_logit_is_that_of_transformers(name, recorded):
  shape = bert_shapes.SHAPES[name]
  hidden, logits = computed(shape, *imported(shape, bert_shapes.tensors(shape)))
  wanted = recorded[f"{name}/hidden"]
  assert hidden.shape == (shape.depth + 1, 3, 14, shape.width)
  assert np.abs(hidden[..., :wanted.shape[-1]] - wanted).max() <= TOLERANCE
  assert (logits is None) == (shape.head == "none")
  if logits is not None:
    wanted = recorded[f"{name}/logits"]
    assert np.abs(logits[..., -wanted.shape[-1]:] - wanted).max() <= TOLERANCE


@pytest.mark.parametrize("name", bert_shapes.SHAPES)
def test_what_goes_out_is_bit_for_bit_what_came_in(name):
  shape = bert_shapes.SHAPES[name]
  given = bert_shapes.tensors(shape)
  params, _ = imported(shape, given)
  back = exported(shape, params)
  for tensor, x in given.items():
    if "pooler" in tensor:
      assert tensor not in back
    elif "token_type" in tensor:
      np.testing.assert_array_equal(back[tensor], x[:1])
    elif tensor in OF_ALL_IDS and (shape.head == "untied" or "bias" in tensor):
      # Special tokens are no classes here.
      np.testing.assert_array_equal(back[tensor][NUM_SPECIAL:], x[NUM_SPECIAL:])
    else:
      np.testing.assert_array_equal(back[tensor], x)


def test_a_head_of_other_classes_and_other_parameters_are_refused():
  shape = bert_shapes.SHAPES["2x4x16"]
  given = bert_shapes.tensors(shape)
  for change, match in (({"classifier.weight": np.zeros((7, 64), np.float32)},
                         r"classifier.weight has shape \[7, 64\], expected \[64, 64\]"),
                        ({}, "missing: classifier.bias")):
    wrong = {**given, **change}
    if not change:
      del wrong["classifier.bias"]
    with pytest.raises(errors.UserError, match=match):
      hugging_face_token_classes.from_hugging_face(wrong, num_classes=64)
  params, _ = imported(shape, given)
  params["head"]["out"]["more"] = np.zeros(3)
  with pytest.raises(errors.UserError, match="not known: out/more"):
    hugging_face_token_classes.to_hugging_face(params)


def test_a_tied_linear_head_is_written_out():
  shape = bert_shapes.SHAPES["2x4x16"]
  params, _ = imported(shape, bert_shapes.tensors(shape))
  params["head"] = {"bias": params["head"]["out"]["bias"]}
  back = hugging_face_token_classes.to_hugging_face(params)
  np.testing.assert_array_equal(back["classifier.weight"],
                                params["encoder"]["word"][NUM_SPECIAL:])


@pytest.mark.parametrize("name", bert_shapes.SHAPES)
def test_both_directions_with_torch_itself(name, tmp_path):
  _, transformers = map(pytest.importorskip, ("torch", "transformers"))
  path = DATA / "make_bert_shapes_fixture.py"
  spec = importlib.util.spec_from_file_location(path.stem, path)
  maker = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(maker)
  shape = bert_shapes.SHAPES[name]
  params, model = imported(shape, bert_shapes.tensors(shape))
  hidden, logits = computed(shape, params, model)
  wanted, wanted_logits = maker.results(shape)
  assert np.abs(hidden - wanted).max() <= TOLERANCE
  # The other way: parameters of our own initialisation, moved, in transformers.
  rng = np.random.default_rng(0)
  ours = jax.tree.map(lambda x: x + rng.normal(0, 0.02, x.shape).astype(np.float32), params)
  hidden_of_ours, logits_of_ours = computed(shape, ours, model)
  config = hugging_face.hugging_face_config(
      ours if "head" in ours else ours["encoder"], num_heads=shape.num_heads,
      class_names=[str(i) for i in range(shape.vocab_size - NUM_SPECIAL)])
  got, logits_got, missing = bert_shapes.in_torch(
      shape, transformers.BertConfig(**config, attn_implementation="eager"),
      exported(shape, ours))
  assert not [n for n in missing if "pooler" not in n]
  assert np.abs(got - hidden_of_ours).max() <= TOLERANCE
  assert np.abs(hidden_of_ours - hidden).max() > 0.01
  for ours_, theirs in ((logits, wanted_logits), (logits_of_ours, logits_got)):
    if ours_ is not None:
      assert np.abs(ours_ - of_kmers(shape, np.asarray(theirs))).max() <= TOLERANCE
