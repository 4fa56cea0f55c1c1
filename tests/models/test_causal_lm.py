import builders
import numpy as np


def case(**changes):
  ids, pad_mask, _ = builders.sentences(lengths=(12, 9, 4))
  model = builders.causal_lm_model(**changes)
  params = builders.random_params(model, builders.tokens(ids, pad_mask))
  return ids, pad_mask, model, params


def test_the_logits_of_a_token_do_not_depend_on_it_or_on_what_follows():
  ids, pad_mask, model, params = case()
  before = builders.logits(model, params, builders.tokens(ids, pad_mask))
  assert before.shape == (3, 11, builders.CLASSES)
  for place in (1, 6, 11):
    changed = ids.copy()
    changed[:, place:] = 2 + (changed[:, place:] + 1) % builders.CLASSES
    after = builders.logits(model, params, builders.tokens(changed, pad_mask))
    np.testing.assert_array_equal(before[:, :place], after[:, :place])


def test_the_classes_are_the_next_tokens():
  ids, pad_mask, model, params = case()
  out = builders.outputs(model, params, builders.tokens(ids, pad_mask))
  np.testing.assert_array_equal(out.classes, ids[:, 1:] - 2)
  p = np.exp(out.logits) / np.exp(out.logits).sum(-1, keepdims=True)
  want = -np.log(np.take_along_axis(p, np.asarray(out.classes)[..., None], -1)[..., 0])
  np.testing.assert_allclose(out.nats, want, rtol=1e-4, atol=1e-5)


def test_padding_and_batch_composition_change_nothing():
  ids, pad_mask, model, params = case()
  together = builders.logits(model, params, builders.tokens(ids, pad_mask))
  for b, length in enumerate((12, 9, 4)):
    alone = builders.logits(model, params, builders.tokens(
        ids[b:b + 1, :length], pad_mask[b:b + 1, :length]))
    np.testing.assert_allclose(alone[0], together[b, :length - 1], atol=2e-5)
