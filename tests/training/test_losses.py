import jax
import jax.numpy as jnp
import numpy as np

from dnajax.masking import corrupt
from dnajax.tokens import kmers, vocabulary
from dnajax.training import losses

VOCAB = vocabulary.Vocabulary(2)


def some_case(score_unselected):
  rng = np.random.default_rng(0)
  ids = rng.integers(2, VOCAB.size, (4, 9)).astype(np.int32)
  is_maskable = rng.random(ids.shape) < 0.8
  is_selected = is_maskable & (rng.random(ids.shape) < 0.5)
  tokens = kmers.Tokens(ids=ids, is_maskable=is_maskable,
                        pad_mask=np.ones_like(is_maskable))
  masked, _ = corrupt.replace(
      jax.random.key(0), tokens, is_selected, vocabulary=VOCAB, num_kept=9,
      num_scored=9, score_unselected=score_unselected)
  logits = rng.normal(size=(4, 9, VOCAB.num_classes)).astype(np.float32)
  return logits, masked, ids, is_selected, is_maskable


def slow_mean_nats(logits, masked, ids, is_wanted):
  total, count = 0.0, 0
  for b in range(4):
    for slot in range(9):
      position = int(masked.scored_ids[b, slot])
      is_used = bool(masked.is_selected[b, slot] | masked.is_unselected[b, slot])
      if is_used and is_wanted[b, position]:
        p = np.exp(logits[b, slot]) / np.exp(logits[b, slot]).sum()
        total -= np.log(p[ids[b, position] - 2])
        count += 1
  assert count == is_wanted.sum()
  return total / count


def test_loss_is_the_mean_over_selected_tokens():
  logits, masked, ids, is_selected, _ = some_case(False)
  sums = losses.masked_cross_entropy(logits, masked, num_special=2)
  np.testing.assert_allclose(losses.combine(sums, 1.0),
                             slow_mean_nats(logits, masked, ids, is_selected),
                             rtol=1e-5)
  assert sums["unselected"] == 0


def test_masked_loss_weight_mixes_the_two_means():
  logits, masked, ids, is_selected, is_maskable = some_case(True)
  sums = losses.masked_cross_entropy(logits, masked, num_special=2)
  want = (0.9 * slow_mean_nats(logits, masked, ids, is_selected)
          + 0.1 * slow_mean_nats(logits, masked, ids, is_maskable & ~is_selected))
  np.testing.assert_allclose(losses.combine(sums, 0.9), want, rtol=1e-5)


def test_a_batch_without_selected_tokens_has_loss_zero():
  logits, masked, *_ = some_case(False)
  empty = masked.replace(is_selected=jnp.zeros_like(masked.is_selected))
  sums = losses.masked_cross_entropy(logits, empty, num_special=2)
  assert losses.combine(sums, 1.0) == 0 and losses.combine(sums, 0.5) == 0


def test_accuracy_counts_selected_tokens_whose_best_class_is_right():
  logits, masked, ids, *_ = some_case(False)
  perfect = jax.nn.one_hot(masked.targets - 2, VOCAB.num_classes) * 10
  sums = losses.masked_cross_entropy(perfect, masked, num_special=2)
  assert sums["correct"] == sums["selected"] > 0
