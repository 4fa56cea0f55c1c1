"""The one batch loop: order, rows that are added, several arrays a batch, a mesh."""

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from flax import linen as nn

from dnajax.inference import encode
from dnajax.models import heads
from dnajax.shell import errors
from dnajax.tokens import bases as base_codes
from dnajax.tokens import tokenizer as tokenizer_lib

LENGTH = 40


class Words(nn.Module):
  """A table of vectors, so that a feature is a mean of rows."""
  size: int

  @nn.compact
  def pooled(self, ids, pad_mask):
    hidden = nn.Embed(self.size, 5, name="word")(ids)
    return {"mean": heads.masked_mean(hidden, pad_mask), "cls": hidden[:, 0]}


def toy(**tokens):
  """(module, params, Tokenizer)."""
  tokenizer = tokenizer_lib.make(tokenizer_lib.TokenSettings(k=3, stride=3, **tokens), LENGTH)
  module = Words(tokenizer.vocabulary.size)
  params = module.init(jax.random.key(0), jnp.zeros((1, 2), int), jnp.ones((1, 2), bool),
                       method="pooled")
  return module, params["params"], tokenizer


@pytest.mark.parametrize("mesh", [None, encode.local_mesh()], ids=["one", "mesh"])
@pytest.mark.parametrize("tokens", [{}, dict(vocabulary="dnabert", add_cls=True, add_sep=True)])
def test_features_are_means_over_the_attended_tokens_of_each_row(mesh, tokens):
  module, params, tokenizer = toy(**tokens)
  bases = oracles.random_codes(np.random.default_rng(0), 13, LENGTH)
  got = encode.encoder_features(module, params, bases, tokenizer=tokenizer, batch_size=5,
                                mesh=mesh)
  assert got.shape == (13, 5) and got.dtype == np.float32
  table = np.asarray(params["word"]["embedding"])
  for row, found in zip(bases, got, strict=True):
    one = tokenizer(jnp.asarray(row[None]))
    ids = np.asarray(one.ids)[np.asarray(one.pad_mask)]
    want = table[ids].mean(axis=0) if len(ids) else np.zeros(5)
    np.testing.assert_allclose(found, want, atol=1e-6)


def test_the_number_of_kmers_counts_no_special_token():
  module, params, tokenizer = toy(vocabulary="dnabert", add_cls=True, add_sep=True)
  bases = np.full((3, LENGTH), 5, np.uint8)
  bases[1, :7], bases[2, :] = 0, 1
  _, num_kmers = encode.make_embed_fn(module, tokenizer)(params, bases)
  assert num_kmers.tolist() == [0, 2, 13]


@pytest.mark.parametrize("mesh", [None, encode.local_mesh()], ids=["one", "mesh"])
def test_several_frames_are_the_mean_of_sequences_without_their_first_bases(mesh):
  module, params, tokenizer = toy()
  bases = oracles.random_codes(np.random.default_rng(1), 9, LENGTH)
  bases[2, 4:] = base_codes.PAD                # k = 3: k-mers in frames 0 and 1 alone
  bases[3] = base_codes.PAD
  features = lambda rows, **more: encode.encoder_features(
      module, params, np.asarray(rows), tokenizer=tokenizer, batch_size=8, mesh=mesh, **more)
  want = []
  for row in bases:
    num = (row != base_codes.PAD).sum()
    frames = [np.pad(row[first:], (0, first), constant_values=base_codes.PAD)
              for first in range(3) if first == 0 or num - first >= 3]
    want.append(np.mean([features([frame])[0] for frame in frames], axis=0))
  np.testing.assert_allclose(features(bases, frames=3), want, atol=1e-6)


def test_rows_that_are_aligned_have_one_frame():
  module, _, tokenizer = toy(align_to="ACGTACGT")
  with pytest.raises(errors.UserError, match="align_to.*frames=1"):
    encode.make_embed_fn(module, tokenizer, frames=2)


def test_cls_is_the_first_position():
  module, params, tokenizer = toy(add_cls=True)
  bases = oracles.random_codes(np.random.default_rng(0), 3, LENGTH)
  rows, _ = encode.make_embed_fn(module, tokenizer, "cls")(params, bases)
  table = np.asarray(params["word"]["embedding"])
  np.testing.assert_array_equal(
      rows, np.tile(table[tokenizer.vocabulary.cls_id], (3, 1)))


@pytest.mark.parametrize("pooling, message", [
    ("sum", "Unknown pooling 'sum'. Known: mean, cls"), ("cls", r"\[CLS\].*pooling=mean")])
def test_pooling_that_cannot_be_is_refused(pooling, message):
  module, _, tokenizer = toy()
  with pytest.raises(errors.UserError, match=message):
    encode.make_embed_fn(module, tokenizer, pooling)


@pytest.mark.parametrize("mesh", [None, encode.local_mesh()], ids=["one", "mesh"])
def test_batches_may_be_tuples_of_arrays_and_keep_their_order(mesh):
  fn = jax.jit(lambda params, batch: (batch[0].sum(axis=1) * params, batch[1]))
  batches = [(np.full((8, 3), n, np.float32), np.arange(8) + n) for n in range(4)]
  got = list(encode.embed_batches(fn, jnp.float32(2), iter(batches), mesh=mesh))
  for n, (sums, numbers) in enumerate(got):
    np.testing.assert_array_equal(sums, np.full(8, 6 * n))
    np.testing.assert_array_equal(numbers, np.arange(8) + n)
  assert len(got) == 4 and not list(encode.embed_batches(fn, 0, []))
