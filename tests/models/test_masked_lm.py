import math

import builders
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dnajax.devices import partitioning
from dnajax.models import heads, types
from dnajax.tokens import bases as base_codes
from dnajax.tokens import tokenizer as tokenizer_lib
from dnajax.tokens import vocabulary

NUM_DEVICES = 8


def test_logits_are_the_head_at_the_scored_positions():
  ids, pad_mask, is_masked = builders.sentences()
  batch = builders.masked("replace", ids, pad_mask, is_masked, num_scored=10)
  model = builders.masked_lm_model()
  params = builders.random_params(model, batch)
  hidden = builders.encode(model, params, batch.encoder_ids, pad_mask)
  head = params["head"]["out"]
  got = builders.logits(model, params, batch)
  assert got.shape == (3, 10, builders.CLASSES) and got.dtype == np.float32
  for b in range(3):
    for m in range(10):
      expected = hidden[b, batch.scored_ids[b, m]] @ head["kernel"] + head["bias"]
      np.testing.assert_allclose(got[b, m], expected, atol=1e-5)


def test_a_corruption_that_takes_tokens_out_is_refused():
  batch = builders.masked("drop", *builders.sentences(), num_kept=8)
  with pytest.raises(ValueError, match="takes tokens out"):
    builders.random_params(builders.masked_lm_model(), batch)


def test_padding_and_batch_composition_change_nothing():
  ids, pad_mask, is_masked = builders.sentences()
  model = builders.masked_lm_model()
  whole = builders.masked("replace", ids, pad_mask, is_masked)
  params = builders.random_params(model, whole)
  together = builders.logits(model, params, whole)
  for b, length in enumerate((12, 9, 4)):
    alone = builders.masked("replace", ids[b:b + 1, :length], pad_mask[b:b + 1, :length],
                            is_masked[b:b + 1, :length])
    num_scored = int(alone.is_selected.sum())
    np.testing.assert_allclose(builders.logits(model, params, alone)[0, :num_scored],
                               together[b, :num_scored], rtol=0, atol=2e-5)


def slow_head(hidden, head, word, *, num_special):
  """BERT's head on one vector [D], in float64: linear, GELU, LayerNorm, classes."""
  head = jax.tree.map(lambda x: np.asarray(x, np.float64), head)
  x = np.asarray(hidden, np.float64)
  if "transform" in head:
    x = x @ head["transform"]["kernel"] + head["transform"]["bias"]
    x = np.array([0.5 * v * (1 + math.erf(v / math.sqrt(2))) for v in x])
    x = (x - x.mean()) / np.sqrt(x.var() + 1e-12)
    x = x * head["norm"]["scale"] + head["norm"]["bias"]
  if "out" in head:
    return x @ head["out"]["kernel"] + head["out"]["bias"]
  return [x @ word[num_special + c] + bias for c, bias in enumerate(head["bias"])]


HEADS = [("linear", False), ("linear", True), ("transform", False), ("transform", True)]


@pytest.mark.parametrize("head,tied", HEADS)
def test_every_head_is_its_formula(head, tied):
  ids, pad_mask, is_masked = builders.sentences()
  batch = builders.masked("replace", ids, pad_mask, is_masked, num_scored=7)
  model = builders.masked_lm_model(head=head, tie_embeddings=tied, depth=1)
  params = builders.random_params(model, batch)
  hidden = builders.encode(model, params, batch.encoder_ids, pad_mask)
  assert ("transform" in params["head"], "out" in params["head"]) == (
      head == "transform", not tied)
  word = np.asarray(params["encoder"]["word"], np.float64)
  expected = [[slow_head(hidden[b, batch.scored_ids[b, m]], params["head"], word, num_special=2)
               for m in range(7)] for b in range(3)]
  for got in (builders.logits(model, params, batch),
              model.apply({"params": params}, builders.inputs_of(batch)).logits):
    assert got.shape == (3, 7, builders.CLASSES) and got.dtype == np.float32
    np.testing.assert_allclose(got, expected, atol=2e-5)


def test_a_tied_word_vector_learns_as_input_and_as_class():
  ids, pad_mask, is_masked = builders.sentences()
  batch = builders.masked("replace", ids, pad_mask, is_masked)
  model = builders.masked_lm_model(head="transform", tie_embeddings=True, depth=1)
  params = builders.random_params(model, batch)

  @jax.jit
  def grad(params):
    def loss(params):
      return jnp.sum(builders.outputs(model, params, batch).nats, where=batch.is_selected)
    return jax.grad(loss)(params)["encoder"]["word"]

  got = np.abs(grad(params)).max(axis=1)
  assert (got[2:] > 0).all()              # every class takes part in every softmax
  assert got[0] > 0                       # [MASK] is read, though it is no class
  assert got[1] == 0                      # [UNK] is neither here


def test_logits_of_a_tied_head_do_not_depend_on_the_mesh():
  ids, pad_mask, is_masked = builders.sentences(num_rows=8)
  batch = builders.masked("replace", ids, pad_mask, is_masked)
  model = builders.masked_lm_model(head="transform", tie_embeddings=True, depth=1)
  params = builders.random_params(model, batch)
  expected = builders.logits(model, params, batch)
  mesh = partitioning.make_mesh(dict(data=2, fsdp=2, tensor=2))
  _, sharding = partitioning.abstract_and_sharding(
      lambda: model.init(jax.random.key(0), builders.inputs_of(batch))["params"], mesh)
  assert sharding["head"]["bias"].spec == jax.sharding.PartitionSpec(("tensor", "fsdp"))
  params = jax.tree.map(jax.device_put, params, sharding)
  batch = jax.device_put(batch, partitioning.batch_sharding(mesh))
  with partitioning.use(mesh):
    np.testing.assert_allclose(builders.logits(model, params, batch), expected, atol=2e-5)


@pytest.mark.parametrize("sizes,ours,published", [
    (dict(width=768, depth=12, num_heads=12, mlp_width=3072), 89_195_776, 89.2),
    (dict(width=256, depth=2, num_heads=8, mlp_width=3072), 4_932_864, 4.93),
    (dict(width=256, depth=2, num_heads=8, mlp_width=1024), 2_831_616, 2.83)],
    ids=["DNABERT", "LOGO_as_in_GeneMask", "LOGO"])
def test_published_parameter_counts(sizes, ours, published):
  vocab = vocabulary.Vocabulary(6, layout="dnabert", add_cls=True, add_sep=True)
  model = builders.masked_lm_model(
      tokenizer=tokenizer_lib.Tokenizer(vocab, 1, 60), max_positions=512, head="transform",
      tie_embeddings=True, **sizes)
  shapes = builders.shapes(model, builders.masked("replace", *builders.sentences()))
  count = sum(math.prod(x.shape) for x in jax.tree.leaves(shapes))
  assert count == ours
  # What the public form has and no output depends on: a token-type row, and the
  # output biases of the special tokens.
  total = (count + sizes["width"] + vocab.num_special) / 1e6
  assert f"{total:.{len(str(published).split('.')[1])}f}" == str(published)


def test_the_embedding_of_a_dnabert_is_the_mean_over_cls_kmers_and_sep():
  tokenizer = tokenizer_lib.make(tokenizer_lib.TokenSettings(
      vocabulary="dnabert", k=3, stride=1, add_cls=True, add_sep=True), 20)
  model = builders.masked_lm_model(tokenizer=tokenizer, head="transform", max_positions=20)
  text = "ACGTACGTTTGACA"
  whole, padded = (tokenizer(jnp.asarray(base_codes.encode_batch([text], length)))
                   for length in (len(text), 20))
  assert whole.ids.shape == (1, 12 + 2) and bool(whole.pad_mask.all())
  params = builders.random_params(model, whole_masked(whole))
  hidden = builders.encode(model, params, whole.ids, whole.pad_mask)
  got = heads.masked_mean(builders.encode(model, params, padded.ids, padded.pad_mask),
                          padded.pad_mask)
  np.testing.assert_allclose(got[0], hidden[0].mean(axis=0), atol=1e-5)


def whole_masked(tokens):
  return types.Inputs(masked=types.nothing_hidden(tokens))
