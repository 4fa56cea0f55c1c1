import importlib
import math

import builders
import jax
import numpy as np
import pytest
from flax import linen as nn

from dnajax import bases as base_codes
from dnajax import checkpointing, embed, partitioning
from dnajax import config as config_lib
from dnajax.models import masked_lm
from dnajax.tokens import kmers, vocabulary
from dnajax.training import losses, run


def test_logits_are_the_head_at_the_scored_positions():
  ids, pad_mask, is_masked = builders.sentences()
  batch = builders.masked("replace", ids, pad_mask, is_masked, num_scored=10)
  model = builders.masked_lm_model()
  params = builders.random_params(model, batch)
  hidden = model.apply({"params": params}, batch.encoder_ids, pad_mask, method="encode")
  head = params["head"]["out"]
  got = builders.logits(model, params, batch)
  assert got.shape == (3, 10, builders.CLASSES) and got.dtype == np.float32
  for b in range(3):
    for m in range(10):
      expected = hidden[b, batch.scored_ids[b, m]] @ head["kernel"] + head["bias"]
      np.testing.assert_allclose(got[b, m], expected, atol=1e-5)


def test_a_corruption_that_takes_tokens_out_is_refused():
  batch = builders.masked("drop", *builders.sentences(), num_kept=8)
  with pytest.raises(ValueError, match="'replace' or model.name 'mae'"):
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
  hidden = model.apply({"params": params}, batch.encoder_ids, pad_mask, method="encode")
  assert ("transform" in params["head"], "out" in params["head"]) == (
      head == "transform", not tied)
  word = np.asarray(params["encoder"]["word"], np.float64)
  expected = [[slow_head(hidden[b, batch.scored_ids[b, m]], params["head"], word, num_special=2)
               for m in range(7)] for b in range(3)]
  for got in (builders.logits(model, params, batch), model.apply({"params": params}, batch)):
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
      logits = model.apply({"params": params}, batch)
      return losses.masked_cross_entropy(logits, batch, num_special=2)["selected_loss"]
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
      lambda: model.init(jax.random.key(0), batch)["params"], mesh)
  assert sharding["head"]["bias"].spec == jax.sharding.PartitionSpec("tensor")
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
  model = masked_lm.MaskedLM(
      vocab_size=vocab.size, num_classes=vocab.num_classes, max_positions=512,
      head="transform", tie_embeddings=True, **sizes)
  batch = builders.masked("replace", *builders.sentences())
  shapes = jax.eval_shape(lambda: nn.unbox(model.init(jax.random.key(0), batch)))
  count = sum(math.prod(x.shape) for x in jax.tree.leaves(shapes))
  assert count == ours
  # What the public form has and no output depends on: a token-type row, and the
  # output biases of the special tokens.
  total = (count + sizes["width"] + vocab.num_special) / 1e6
  assert f"{total:.{len(str(published).split('.')[1])}f}" == str(published)


def test_an_unknown_head_is_refused():
  batch = builders.masked("replace", *builders.sentences())
  with pytest.raises(ValueError, match="model.head='pooled'.*linear, transform"):
    builders.random_params(builders.masked_lm_model(head="pooled"), batch)


@pytest.fixture(scope="module")
def dnabert(tiny_data, tmp_path_factory):
  """(config, workdir) of a DNABERT in small, trained for two updates."""
  config = config_lib.complete(importlib.import_module("configs.barcodebert").get_config("tiny"))
  config.update_from_flattened_dict({
      "data.dir": str(tiny_data), "data.max_length": 40, "tokens.stride": 1,
      "tokens.vocabulary": "dnabert", "tokens.add_cls": True, "tokens.add_sep": True,
      "tokens.random_offset": False, "tokens.reverse_complement": 0.5,
      "masking.mask_share": 0.8, "masking.random_share": 0.1, "model.max_positions": 40,
      "model.head": "transform", "model.tie_embeddings": True, "model.depth": 1,
      "total_steps": 2})
  config.evals = {}
  workdir = tmp_path_factory.mktemp("dnabert")
  run.run(config, workdir)
  return config, workdir


def test_the_checkpoint_of_a_dnabert_says_what_its_ids_are(dnabert):
  _, params, meta = checkpointing.load_params(dnabert[1])
  assert params["encoder"]["word"].shape == (69, 16)
  assert params["head"]["bias"].shape == (64,) and "out" not in params["head"]
  assert meta["ids"]["specials"] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
  assert meta["ids"]["letters"] == "ATCG"
  assert meta["config"]["tokens"]["vocabulary"] == "dnabert"


def test_the_embedding_of_a_dnabert_is_the_mean_over_cls_kmers_and_sep(dnabert):
  config, workdir = dnabert
  _, params, _ = checkpointing.load_params(workdir)
  text = "ACGTACGTTTGACA"
  got = embed.load(workdir).embed([text, "AC", text + "N" * 90])
  assert np.isfinite(got[[0, 2]]).all() and np.isnan(got[1]).all()
  derived = config_lib.derive(config)
  tokens = kmers.tokenize(base_codes.encode_batch([text], len(text)), stride=1,
                          vocabulary=derived.vocabulary)
  assert tokens.ids.shape == (1, 12 + 2) and bool(tokens.pad_mask.all())
  hidden = config_lib.build_model(config, derived).apply(
      {"params": params}, tokens.ids, tokens.pad_mask, method="encode")
  np.testing.assert_allclose(got[0], hidden[0].mean(axis=0), atol=1e-5)
