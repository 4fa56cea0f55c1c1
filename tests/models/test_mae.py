import builders
import jax
import jax.numpy as jnp
import numpy as np
import pytest

TOLERANCE = dict(rtol=0, atol=2e-5)


def _scored(x, batch):
  return x[np.asarray(batch.is_selected)]


def test_drop_and_hide_give_the_same_logits():
  ids, pad_mask, is_masked = builders.sentences()
  drop = builders.masked("drop", ids, pad_mask, is_masked, num_kept=8)
  hide = builders.masked("hide", ids, pad_mask, is_masked)
  model = builders.mae_model()
  params = builders.random_params(model, drop)
  np.testing.assert_allclose(
      _scored(builders.logits(model, params, drop), drop),
      _scored(builders.logits(model, params, hide), hide), **TOLERANCE)


def test_the_content_of_dropped_tokens_and_empty_slots_changes_nothing():
  ids, pad_mask, is_masked = builders.sentences()
  batch = builders.masked("drop", ids, pad_mask, is_masked, num_kept=8)
  model = builders.mae_model()
  params = builders.random_params(model, batch)
  empty = ~np.asarray(batch.is_attended)
  assert empty.any()
  changed = batch.replace(
      encoder_ids=jnp.where(empty, 7, batch.encoder_ids),
      encoder_positions=jnp.where(empty, 3, batch.encoder_positions),
      restore_ids=jnp.where(batch.is_absent, 5, batch.restore_ids),
      targets=(batch.targets + 1) % builders.VOCAB)
  np.testing.assert_array_equal(builders.logits(model, params, batch),
                                builders.logits(model, params, changed))


def test_the_content_of_hidden_tokens_changes_nothing():
  ids, pad_mask, is_masked = builders.sentences()
  model = builders.mae_model()
  batches = [
      builders.masked("hide", np.where(is_masked, filler, ids).astype(np.int32),
                      pad_mask, is_masked) for filler in (3, 9)]
  params = builders.random_params(model, batches[0])
  np.testing.assert_array_equal(builders.logits(model, params, batches[0]),
                                builders.logits(model, params, batches[1]))


def test_places_of_dropped_tokens_do_matter():
  ids, pad_mask, is_masked = builders.sentences(lengths=(12,))
  batch = builders.masked("drop", ids, pad_mask, is_masked, num_kept=10)
  model = builders.mae_model()
  params = builders.random_params(model, batch)
  moved = batch.replace(encoder_positions=jnp.maximum(batch.encoder_positions - 1, 0))
  assert np.abs(builders.logits(model, params, batch)
                - builders.logits(model, params, moved)).max() > 0.01


@pytest.mark.parametrize("kind", ["replace", "hide", "drop"])
def test_padding_and_batch_composition_change_nothing(kind):
  ids, pad_mask, is_masked = builders.sentences()
  model = builders.mae_model()
  whole = builders.masked(kind, ids, pad_mask, is_masked, num_kept=8)
  params = builders.random_params(model, whole)
  together = builders.logits(model, params, whole)
  for b, length in enumerate((12, 9, 4)):
    alone = builders.masked(kind, ids[b:b + 1, :length], pad_mask[b:b + 1, :length],
                            is_masked[b:b + 1, :length], num_kept=8)
    num_scored = int(alone.is_selected.sum())
    np.testing.assert_allclose(
        builders.logits(model, params, alone)[0, :num_scored],
        together[b, :num_scored], **TOLERANCE)


@pytest.mark.parametrize("kind", ["replace", "hide", "drop"])
def test_logits_follow_the_scored_positions(kind):
  ids, pad_mask, is_masked = builders.sentences()
  batch = builders.masked(kind, ids, pad_mask, is_masked, num_kept=8)
  model = builders.mae_model()
  params = builders.random_params(model, batch)
  all_positions = jnp.broadcast_to(jnp.arange(builders.LENGTH), ids.shape)
  everywhere = builders.logits(model, params, batch.replace(scored_ids=all_positions))
  expected = np.take_along_axis(everywhere, np.asarray(batch.scored_ids)[..., None], axis=1)
  np.testing.assert_allclose(builders.logits(model, params, batch), expected, **TOLERANCE)


@pytest.mark.parametrize("norm, attention", [("post", "explicit"), ("pre", "xla")])
def test_rows_with_nothing_to_see_stay_finite_in_value_and_gradient(norm, attention):
  ids, pad_mask, is_masked = builders.sentences(lengths=(12, 0, 3))
  is_masked[2] = pad_mask[2]                      # every token masked
  batch = builders.masked("drop", ids, pad_mask, is_masked, num_kept=8)
  model = builders.mae_model(norm=norm, attention=attention)
  params = builders.random_params(model, batch)

  def loss(params):
    return jnp.square(builders.outputs(model, params, batch).logits).mean()

  value, grads = jax.jit(jax.value_and_grad(loss))(params)
  assert np.isfinite(value)
  assert all(np.isfinite(g).all() for g in jax.tree.leaves(grads))


def test_encode_is_the_encoder_on_unmasked_tokens():
  ids, pad_mask, _ = builders.sentences()
  nothing = np.zeros_like(pad_mask)
  batch = builders.masked("replace", ids, pad_mask, nothing)
  model = builders.mae_model()
  params = builders.random_params(model, batch)
  hidden = builders.encode(model, params, ids, pad_mask)
  assert hidden.shape == (3, 12, 16)
  same = builders.encode(model, {"encoder": params["encoder"]}, ids, pad_mask)
  np.testing.assert_array_equal(hidden, same)     # decoder weights are not needed


@pytest.mark.parametrize("kind", ["replace", "hide", "drop"])
def test_encoder_and_decoder_may_differ_in_width_depth_and_heads(kind):
  ids, pad_mask, is_masked = builders.sentences()
  batch = builders.masked(kind, ids, pad_mask, is_masked, num_kept=8)
  model = builders.mae_model(decoder_width=24, decoder_depth=1, decoder_num_heads=3)
  params = builders.random_params(model, batch)
  assert params["project"]["kernel"].shape == (16, 24)
  assert builders.logits(model, params, batch).shape == (3, 12, builders.CLASSES)


def test_every_parameter_is_used():
  ids, pad_mask, is_masked = builders.sentences()
  batch = builders.masked("drop", ids, pad_mask, is_masked, num_kept=8)
  for norm in ("post", "pre"):
    model = builders.mae_model(norm=norm)
    params = builders.random_params(model, batch)
    grads = jax.grad(lambda p, m=model: jnp.square(
        builders.outputs(m, p, batch).logits).sum())(params)
    unused = [jax.tree_util.keystr(path) for path, g in jax.tree_util.tree_leaves_with_path(grads)
              if not np.abs(g).max() > 0]
    assert not unused


def _count(model, length=8):
  ids, pad_mask, is_masked = builders.sentences(length=length, lengths=(length,))
  batch = builders.masked("replace", ids, pad_mask, is_masked)
  return sum(x.size for x in jax.tree.leaves(builders.shapes(model, batch)))


def _bert_count(vocab_size, *, depth, width=768, positions=512, types=2):
  """Numbers in a Hugging Face BertModel without its pooler."""
  norm = 2 * width
  tables = (vocab_size + positions + types) * width + norm
  attention = 4 * (width * width + width)
  feed_forward = width * 4 * width + 4 * width + 4 * width * width + width
  return tables + depth * (attention + feed_forward + 2 * norm)


def test_barcodemae_has_the_published_parameters_less_those_nothing_reads():
  vocab, classes, width = 4098, 4096, 768
  square = width * width + width                       # a linear map D -> D
  head = width * classes + classes
  encoder = _bert_count(vocab, depth=6)
  decoder = _bert_count(vocab, depth=6) + head
  assert round(encoder / 1e6, 2) == 46.07
  assert round((encoder + square) / 1e6, 2) == 46.66   # with the pooler
  assert round(square / 1e6, 2) == 0.59
  assert round(decoder / 1e6, 2) == 49.22
  published = encoder + square + square + decoder
  assert round(published / 1e6, 2) == 96.47

  model = builders.mae_model(
      tokenizer=builders.any_tokenizer(vocab, classes), max_positions=512, width=768,
      depth=6, num_heads=6, mlp_width=3072, decoder_width=768, decoder_depth=6, decoder_num_heads=6,
      decoder_mlp_width=3072)
  pooler, second_types, word_rows = square, 2 * width, (vocab - 1) * width
  assert _count(model) == 92_733_952
  assert _count(model) + pooler + second_types + word_rows == published


@pytest.mark.parametrize("k, depth, millions", [(6, 6, 49.2), (4, 4, 29.1), (8, 4, 129.5)])
def test_barcodebert_has_the_published_parameters_less_the_second_token_type(
    k, depth, millions):
  # Position table of max(512, ceil(1536 / stride)) rows, stride = k: always 512.
  published = _bert_count(4**k + 2, depth=depth) + 768 * 4**k + 4**k
  assert round(published / 1e6, 1) == millions
  model = builders.masked_lm_model(
      tokenizer=builders.any_tokenizer(4**k + 2, 4**k), max_positions=512, width=768, depth=depth,
      num_heads=depth, mlp_width=3072)
  assert _count(model) + 768 == published
