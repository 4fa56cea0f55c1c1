import builders
import numpy as np
import pytest


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
