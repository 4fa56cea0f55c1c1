"""Embeddings by the slow way: one row, full length, NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pyarrow as pa
import pytest

import dnajax
from dnajax.models import layers as model_layers
from dnajax.shell import errors
from dnajax.tokens import bases as base_codes
from dnajax.workdir import load

MAX_LENGTH, K = 72, 3   # of the tiny config


@pytest.fixture(scope="module")
def texts():
  """One or two of every bucket, and one without a k-mer."""
  rng = np.random.default_rng(0)
  return ["".join(rng.choice(list("ACGT"), n)) for n in (3, 25, 26, 27, 40, 62, 63, 71, 72, 2)]


@pytest.fixture(scope="module")
def hidden(tiny_workdir, texts):
  """Of every text, from rows of the full length: [its k-mers, D]; of every block too."""
  trained = load.load(tiny_workdir)
  tokens = trained.tokenizer(jnp.asarray(base_codes.encode_batch(texts, MAX_LENGTH)))
  features, kept = trained.module.apply(
      {"params": jax.tree.map(jnp.asarray, trained.params)}, tokens.ids, tokens.pad_mask,
      method="encode", capture_intermediates=True, mutable=["intermediates"])
  blocks = kept["intermediates"]["encoder"]["blocks"]["layers"]["__call__"][0][0]
  cut = lambda rows: [np.asarray(row)[:len(text) // K]
                      for row, text in zip(rows, texts, strict=True)]
  return cut(features), [cut(block) for block in blocks]


@pytest.mark.parametrize("pooling, pool", [("mean", np.mean), ("max", np.max)])
def test_a_row_alone_in_its_bucket_is_the_pool_of_the_full_length(
    tiny_workdir, texts, hidden, pooling, pool):
  embedder = dnajax.load(tiny_workdir, pooling=pooling)
  together = embedder.embed(texts)
  assert np.isnan(together[-1]).all()
  for text, row, tokens in zip(texts[:-1], together, hidden[0], strict=False):
    alone, = embedder.embed([text])
    np.testing.assert_allclose(alone, pool(tokens, axis=0), atol=1e-5)
    np.testing.assert_allclose(row, alone, atol=1e-5)


def test_tokens_are_one_row_for_every_kmer(tiny_workdir, texts, hidden):
  got = dnajax.load(tiny_workdir, pooling="tokens").embed(texts)
  assert [len(rows) for rows in got] == [len(text) // K for text in texts]
  for rows, want in zip(got, hidden[0], strict=True):
    np.testing.assert_allclose(rows, want, atol=1e-5)


def test_a_layer_is_what_its_block_says(tiny_workdir, texts, hidden):
  trained = load.load(tiny_workdir)
  norm = {name: jnp.asarray(x) for name, x in
          trained.params["encoder"]["blocks"]["final_norm"].items()}
  depth = trained.model.encoder.depth
  assert depth > 1
  for layer in range(1, depth + 1):
    normed = [model_layers.layer_norm(jnp.asarray(rows), norm["scale"], norm["bias"], 1e-12)
              for rows in hidden[1][layer - 1][:-1]]
    want = [rows.mean(axis=0) for rows in normed]
    for number in (layer, layer - depth - 1):
      got = dnajax.load(tiny_workdir, layer=number).embed(texts[:-1])
      np.testing.assert_allclose(got, want, atol=1e-5)
  for wrong in (0, depth + 1, -depth - 1):
    with pytest.raises(errors.UserError, match=f"layer={wrong}: this encoder has {depth} layers"):
      dnajax.load(tiny_workdir, layer=wrong)


@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_long_sequences_are_means_of_their_windows(tiny_workdir, texts, pooling):
  embedder = dnajax.load(tiny_workdir, pooling=pooling, windows=True)
  long = ["".join(texts), texts[3], "".join(texts[::-1]) + "ACG", texts[8] + "A"]
  want = []
  for text in long:
    places = list(embedder.windows.places(len(text)))
    rows = embedder.embed([text[start:end] for start, end, _ in places])
    weights = [weight for *_, weight in places]
    want.append(rows.max(axis=0) if pooling == "max" else np.average(rows, axis=0,
                                                                     weights=weights))
  np.testing.assert_allclose(embedder.embed(long), want, atol=1e-5)
  batch, = embedder.stream([(name, name) for name in long], batch_size=8)
  assert batch.ids == long and not batch.is_cut.any()
  assert batch.is_windowed.tolist() == [True, False, True, True]


def test_a_sequence_goes_on_from_chunk_to_chunk(tiny_workdir, texts, monkeypatch):
  embedder = dnajax.load(tiny_workdir, windows=True)
  long = ["".join(texts), "ACG" * 20, "".join(texts[::-1]) * 3]
  want = embedder.embed(long)
  for name in ("_FEWEST_PIECES", "_FEWEST_BATCHES"):
    monkeypatch.setattr(f"dnajax.inference.embedder.{name}", 1)
  batches = list(embedder.stream(enumerate(long), batch_size=8))
  assert len(batches) > 1
  np.testing.assert_allclose(
      np.concatenate([batch.embeddings for batch in batches]), want, atol=1e-5)


@pytest.mark.parametrize("options, message", [
    (dict(windows=True, pooling="tokens"), "windows make one embedding"),
    (dict(frames=2, pooling="tokens"), "pooling=tokens needs frames=1"),
    (dict(centre=True, pooling="max"), "centre needs pooling=mean or cls"),
    (dict(centre=True, layer=1), "centre needs pooling=mean or cls and layer=-1")])
def test_options_that_do_not_go_together_are_refused(tiny_workdir, options, message):
  with pytest.raises(errors.UserError, match=message):
    dnajax.load(tiny_workdir, **options)


def test_columns_of_libraries_are_lists(tiny_workdir, texts):
  embedder = dnajax.load(tiny_workdir)
  want = embedder.embed(texts)
  for column in (tuple(texts), np.array(texts), np.array(texts, object), pa.array(texts),
                 pa.chunked_array([texts[:4], texts[4:]]), (text for text in texts)):
    np.testing.assert_array_equal(embedder.embed(column), want)
  pandas = pytest.importorskip("pandas")
  np.testing.assert_array_equal(embedder.embed(pandas.Series(texts, index=texts)), want)


@pytest.mark.parametrize("wrong, message", [
    ("ACGT", "a list of sequences"), (["ACGT", None], "Sequence 1 is None"),
    (np.zeros((2, 2)), r"Sequence 0 is \[0.0, 0.0\]")])
def test_what_is_no_column_of_texts_is_refused(tiny_workdir, wrong, message):
  with pytest.raises(errors.UserError, match=message):
    dnajax.load(tiny_workdir).embed(wrong)
