"""Features: k-mer counts against counting, encoder rows against one at a time."""

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest

from dnajax import bases as base_codes
from dnajax import config as config_lib
from dnajax import errors, evaluate, partitioning
from dnajax.evaluators import features
from dnajax.tokens import kmers


def slow_kmer_counts(bases, k):
  """Every window that holds only A, C, G, T counts once."""
  names = oracles.kmer_names(k)[2:]
  out = np.zeros((len(bases), len(names)), np.float32)
  for row, codes in zip(out, bases, strict=True):
    text = oracles.text(codes)
    for i in range(len(text) - k + 1):
      if text[i:i + k] in names:
        row[names.index(text[i:i + k])] += 1
  return out


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("length", [1, 2, 3, 40])
def test_kmer_counts_are_the_definition(jit, k, length):
  bases = oracles.random_codes(np.random.default_rng(length), 5, length)
  with jax.disable_jit(not jit):
    got = features.count_kmers(bases, k=k)
  np.testing.assert_array_equal(got, slow_kmer_counts(bases, k))


def test_kmer_counts_in_blocks_equal_counts_at_once():
  bases = oracles.random_codes(np.random.default_rng(0), 11, 30)
  np.testing.assert_array_equal(features.kmer_counts(bases, 2, block=4),
                                slow_kmer_counts(bases, 2))


@pytest.fixture(scope="module")
def encoder():
  """(model, params, config, derived) of the tiny BarcodeMAE, not trained."""
  from configs import barcodemae
  return untrained(barcodemae.get_config("tiny"))


def untrained(config):
  derived = config_lib.derive(config)
  model = config_lib.build_model(config, derived)
  params = evaluate.initial_params(config, derived, model)
  return model, params, config, derived


def encode(encoder, bases, **more):
  model, params, config, derived = encoder
  return features.encoder_features(
      model, params, bases, vocabulary=derived.vocabulary,
      stride=config.tokens.stride, **more)


def random_bases(encoder, num_rows):
  return oracles.random_codes(
      np.random.default_rng(1), num_rows, encoder[2].data.max_length)


def test_encoder_features_are_the_mean_over_attended_positions(encoder):
  model, params, config, derived = encoder
  bases = random_bases(encoder, 5)
  bases[3] = base_codes.PAD
  got = encode(encoder, bases, batch_size=5)
  assert got.dtype == np.float32
  for row, codes in zip(got, bases, strict=True):
    tokens = kmers.tokenize(jnp.asarray(codes)[None], vocabulary=derived.vocabulary,
                            stride=config.tokens.stride)
    hidden = np.asarray(model.apply({"params": params}, tokens.ids, tokens.pad_mask,
                                    method="encode"))[0]
    is_real = np.asarray(tokens.pad_mask)[0]
    want = hidden[is_real].mean(axis=0) if is_real.any() else np.zeros_like(row)
    np.testing.assert_allclose(row, want, atol=1e-5)


def test_batches_and_their_padding_change_no_feature(encoder):
  bases = random_bases(encoder, 7)
  whole = encode(encoder, bases, batch_size=7)
  assert whole.shape == (7, encoder[2].model.width)
  for batch_size in (1, 3, 16):
    np.testing.assert_allclose(
        encode(encoder, bases, batch_size=batch_size), whole, atol=1e-5)


@pytest.mark.parametrize("sizes", [(8, 1, 1), (2, 2, 2)])
def test_features_on_a_mesh_equal_those_of_one_device(encoder, sizes):
  bases = random_bases(encoder, 9)
  mesh = partitioning.make_mesh(dict(zip(partitioning.AXES, sizes, strict=True)))
  got = encode(encoder, bases, batch_size=6, mesh=mesh)   # 6 is rounded up
  np.testing.assert_allclose(got, encode(encoder, bases, batch_size=9), atol=1e-5)


def test_pooling_by_cls_is_refused_without_cls(encoder):
  with pytest.raises(errors.UserError, match="pooling=mean"):
    encode(encoder, random_bases(encoder, 1), batch_size=1, pooling="cls")
  with pytest.raises(errors.UserError, match="Known: mean, cls"):
    encode(encoder, random_bases(encoder, 1), batch_size=1, pooling="max")


def test_pooling_by_cls_is_the_output_at_position_0():
  from configs import barcodemae
  config = barcodemae.get_config("tiny")
  config.tokens.add_cls = True
  model, params, _, derived = untrained(config)
  bases = oracles.random_codes(np.random.default_rng(2), 3, config.data.max_length)
  bases[1] = base_codes.PAD
  embed = features.make_embed_fn(model, derived.vocabulary, config.tokens.stride, "cls")
  got, num_kmers = embed(params, bases)
  tokens = kmers.tokenize(bases, vocabulary=derived.vocabulary,
                          stride=config.tokens.stride)
  hidden = model.apply({"params": params}, tokens.ids, tokens.pad_mask, method="encode")
  np.testing.assert_allclose(got, hidden[:, 0], atol=1e-5)
  assert num_kmers[1] == 0 and num_kmers[0] == config.data.max_length // config.tokens.k


def test_one_function_serves_evaluators_and_embed(encoder):
  model, _, config, derived = encoder
  args = (model, derived.vocabulary, config.tokens.stride)
  assert features.make_embed_fn(*args) is features.make_embed_fn(*args)
