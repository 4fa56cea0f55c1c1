import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dnajax.masking import corrupt
from dnajax.tokens import kmers, vocabulary

VOCAB = vocabulary.Vocabulary(3)
CORRUPTIONS = [corrupt.Replace, corrupt.Drop, corrupt.Hide]


def some_tokens(rng, num_rows=7, length=20, vocab=VOCAB):
  ids = rng.integers(vocab.num_special, vocab.size, (num_rows, length))
  is_maskable = rng.random(ids.shape) < 0.9
  ids[~is_maskable] = vocab.unk_id
  pad_mask = np.arange(length) < rng.integers(0, length + 1, num_rows)[:, None]
  pad_mask[0] = True
  if vocab.add_cls:
    ids[:, 0], is_maskable[:, 0], pad_mask[:, 0] = vocab.cls_id, False, True
  is_maskable &= pad_mask
  tokens = kmers.Tokens(ids=jnp.asarray(ids, jnp.int32), is_maskable=jnp.asarray(is_maskable),
                        pad_mask=jnp.asarray(pad_mask))
  return tokens, jnp.asarray(is_maskable & (rng.random(ids.shape) < 0.5))


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("cls", CORRUPTIONS)
@pytest.mark.parametrize("score_unselected", [False, True])
def test_scored_positions_are_the_selected_ones_and_targets_the_originals(
    jit, cls, score_unselected):
  tokens, is_selected = some_tokens(np.random.default_rng(0))
  call = functools.partial(cls(), vocabulary=VOCAB, num_kept=20, num_scored=20,
                           score_unselected=score_unselected)
  masked, counts = (jax.jit(call) if jit else call)(
      jax.random.key(0), tokens, is_selected)
  for b in range(7):
    chosen = masked.scored_ids[b][masked.is_selected[b]]
    np.testing.assert_array_equal(chosen, np.flatnonzero(is_selected[b]))
    rest = masked.scored_ids[b][masked.is_unselected[b]]
    wanted = (tokens.is_maskable[b] & ~is_selected[b] if score_unselected
              else np.zeros(20, bool))
    np.testing.assert_array_equal(rest, np.flatnonzero(wanted))
    np.testing.assert_array_equal(masked.targets[b],
                                  tokens.ids[b][masked.scored_ids[b]])
  assert counts["selected"] == is_selected.sum()
  assert counts["scored_overflow"] == counts["kept_overflow"] == 0


def test_replace_masks_in_place():
  tokens, is_selected = some_tokens(np.random.default_rng(1))
  masked, _ = corrupt.Replace()(jax.random.key(0), tokens, is_selected,
                                vocabulary=VOCAB, num_kept=20, num_scored=20)
  np.testing.assert_array_equal(masked.encoder_ids,
                                np.where(is_selected, 0, tokens.ids))
  np.testing.assert_array_equal(masked.is_attended, tokens.pad_mask)
  assert not np.any(masked.is_absent) and masked.is_in_place


def test_hide_attends_to_no_masked_token():
  tokens, is_selected = some_tokens(np.random.default_rng(1))
  masked, _ = corrupt.Hide()(jax.random.key(0), tokens, is_selected,
                             vocabulary=VOCAB, num_kept=20, num_scored=20)
  np.testing.assert_array_equal(masked.is_hidden, is_selected)
  np.testing.assert_array_equal(masked.is_attended,
                                tokens.pad_mask & ~is_selected)


@pytest.mark.parametrize("num_kept", [4, 12, 20])
@pytest.mark.parametrize("add_cls", [False, True])
def test_drop_packs_kept_tokens_in_order_and_loses_only_surplus(num_kept, add_cls):
  vocab = vocabulary.Vocabulary(3, add_cls=add_cls)
  tokens, is_selected = some_tokens(np.random.default_rng(2), vocab=vocab)
  masked, counts = corrupt.Drop()(jax.random.key(0), tokens, is_selected,
                                  vocabulary=vocab, num_kept=num_kept, num_scored=8)
  num_lost = 0
  for b in range(7):
    candidates = set(np.flatnonzero(tokens.pad_mask[b] & ~is_selected[b]))
    kept = np.asarray(masked.encoder_positions[b][masked.is_attended[b]]).tolist()
    assert kept == sorted(kept) and set(kept) <= candidates
    assert len(kept) == min(num_kept, len(candidates))
    assert not add_cls or 0 in kept
    num_lost += len(candidates) - len(kept)
    np.testing.assert_array_equal(masked.encoder_ids[b][:len(kept)],
                                  np.asarray(tokens.ids[b])[kept])
    np.testing.assert_array_equal(np.flatnonzero(~np.asarray(masked.is_absent[b])),
                                  kept)
    for slot, position in enumerate(kept):
      assert masked.restore_ids[b, position] == slot
    assert not np.any(masked.is_attended[b][len(kept):])
  assert counts["kept_overflow"] == num_lost
  assert counts["scored_overflow"] == np.maximum(is_selected.sum(1) - 8, 0).sum()


def test_every_surplus_token_is_lost_sometimes():
  tokens, _ = some_tokens(np.random.default_rng(3))
  nothing = jnp.zeros((7, 20), bool)
  drop = jax.jit(lambda key: corrupt.Drop()(
      key, tokens, nothing, vocabulary=VOCAB, num_kept=10, num_scored=8)[0].is_absent[0])
  kept = sum(~np.asarray(drop(jax.random.key(i))) for i in range(60))
  assert kept.min() > 10 and kept.max() < 50


@pytest.mark.parametrize("cls", CORRUPTIONS)
def test_shares_split_the_selected_tokens(cls):
  rng = np.random.default_rng(4)
  tokens, is_selected = some_tokens(rng, num_rows=400)
  masked, _ = cls(mask_share=0.8, random_share=0.1)(
      jax.random.key(1), tokens, is_selected, vocabulary=VOCAB, num_kept=20, num_scored=20)
  slot = np.asarray(masked.restore_ids)
  seen = np.take_along_axis(np.asarray(masked.encoder_ids), slot, 1)
  is_gone = np.asarray(masked.is_absent) | (seen == VOCAB.mask_id)
  is_changed = ~is_gone & (seen != tokens.ids) & tokens.pad_mask
  total = is_selected.sum()
  assert not np.any(is_changed & ~is_selected)
  assert abs((is_gone & is_selected).sum() / total - 0.8) < 0.03
  assert abs(is_changed.sum() / total - 0.1) < 0.03
  assert seen[is_changed].min() >= VOCAB.num_special
