import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dnajax.config import build
from dnajax.masking import corrupt
from dnajax.models import types
from dnajax.shell import errors, parts
from dnajax.tokens import kmers, tokenizer, vocabulary
from dnajax.training.losses import cross_entropy, token_prediction
from dnajax.training.objectives import causal_lm, classifier, mae

VOCAB = vocabulary.Vocabulary(2)


def some_case(score_unselected):
  """(Outputs, Inputs, ids, is_selected, is_maskable) of random tokens under `replace`."""
  rng = np.random.default_rng(0)
  ids = rng.integers(2, VOCAB.size, (4, 9)).astype(np.int32)
  is_maskable = rng.random(ids.shape) < 0.8
  is_selected = is_maskable & (rng.random(ids.shape) < 0.5)
  tokens = kmers.Tokens(ids=jnp.asarray(ids), is_maskable=jnp.asarray(is_maskable),
                        pad_mask=jnp.ones((4, 9), bool))
  masked, _ = corrupt.Replace()(
      jax.random.key(0), tokens, jnp.asarray(is_selected), vocabulary=VOCAB, num_kept=9,
      num_scored=9, score_unselected=score_unselected)
  logits = rng.normal(size=(4, 9, VOCAB.num_classes)).astype(np.float32)
  outputs = types.Outputs(logits=jnp.asarray(logits), classes=(masked.targets - 2).clip(0))
  return outputs, types.Inputs(masked=masked), ids, is_selected, is_maskable


def slow_mean_nats(outputs, inputs, ids, is_wanted):
  total, count, masked = 0.0, 0, inputs.masked
  for b in range(4):
    for slot in range(9):
      position = int(masked.scored_ids[b, slot])
      is_used = bool(masked.is_selected[b, slot] | masked.is_unselected[b, slot])
      if is_used and is_wanted[b, position]:
        p = np.exp(outputs.logits[b, slot]) / np.exp(outputs.logits[b, slot]).sum()
        total -= np.log(p[ids[b, position] - 2])
        count += 1
  assert count == is_wanted.sum()
  return total / count


def sums_of(loss, outputs, inputs, name="it"):
  return {key: float(x) for key, x in
          loss.sums(outputs, inputs, name, is_training=True).items()}


def values(loss, sums):
  return {one.name: one.value for one in loss.metrics(sums)}


def test_the_masked_loss_is_the_mean_over_selected_tokens():
  outputs, inputs, ids, is_selected, _ = some_case(False)
  loss = token_prediction.MaskedPrediction()
  sums = sums_of(loss, outputs, inputs)
  want = slow_mean_nats(outputs, inputs, ids, is_selected)
  np.testing.assert_allclose(sums["loss"] / sums["weight"], want, rtol=1e-5)
  assert sums["weight"] == loss.count(inputs) == is_selected.sum()
  found = values(loss, sums)
  assert found["loss"] == pytest.approx(want)
  assert found["perplexity"] == pytest.approx(np.exp(want), rel=1e-5)
  assert token_prediction.VisiblePrediction().count(inputs) == 0


def test_the_visible_loss_is_the_mean_over_the_other_maskable_tokens():
  outputs, inputs, ids, is_selected, is_maskable = some_case(True)
  for loss, is_wanted in ((token_prediction.MaskedPrediction(), is_selected),
                          (token_prediction.VisiblePrediction(), is_maskable & ~is_selected)):
    sums = sums_of(loss, outputs, inputs)
    np.testing.assert_allclose(sums["loss"] / sums["weight"],
                               slow_mean_nats(outputs, inputs, ids, is_wanted), rtol=1e-5)


def test_a_batch_without_selected_tokens_has_loss_zero_and_no_mean():
  outputs, inputs, *_ = some_case(False)
  empty = inputs.replace(masked=inputs.masked.replace(
      is_selected=jnp.zeros_like(inputs.masked.is_selected)))
  loss = token_prediction.MaskedPrediction()
  sums = sums_of(loss, outputs, empty)
  assert sums == dict(loss=0, weight=0, correct=0)
  assert all(np.isnan(values(loss, sums)[name]) for name in ("loss", "accuracy", "perplexity"))


def test_accuracy_counts_selected_tokens_whose_best_class_is_right():
  outputs, inputs, *_ = some_case(False)
  perfect = types.Outputs(
      logits=jax.nn.one_hot(outputs.classes, VOCAB.num_classes) * 10, classes=outputs.classes)
  sums = sums_of(token_prediction.MaskedPrediction(), perfect, inputs)
  assert sums["correct"] == sums["weight"] > 0
  sums = sums_of(token_prediction.MaskedPrediction(), outputs, inputs)
  right = (np.asarray(outputs.logits).argmax(-1) == np.asarray(outputs.classes))
  assert sums["correct"] == (right & np.asarray(inputs.masked.is_selected)).sum()


def test_the_next_token_counts_where_it_is_a_kmer():
  outputs, _, ids, _, is_maskable = some_case(False)
  tokens = kmers.Tokens(ids=jnp.asarray(ids), is_maskable=jnp.asarray(is_maskable),
                        pad_mask=jnp.ones((4, 9), bool))
  outputs = types.Outputs(logits=outputs.logits[:, :-1], classes=tokens.ids[:, 1:] - 2)
  inputs, loss = types.Inputs(tokens=tokens), token_prediction.NextToken()
  sums, want = sums_of(loss, outputs, inputs), 0.0
  for b in range(4):
    for i in range(8):
      if is_maskable[b, i + 1]:
        p = np.exp(outputs.logits[b, i]) / np.exp(outputs.logits[b, i]).sum()
        want -= np.log(p[ids[b, i + 1] - 2])
  np.testing.assert_allclose(sums["loss"], want, rtol=1e-5)
  assert sums["weight"] == loss.count(inputs) == is_maskable[:, 1:].sum()


def test_sequences_without_a_label_count_nothing():
  rng = np.random.default_rng(0)
  logits = rng.normal(size=(5, 3)).astype(np.float32)
  labels = np.array([2, -1, 0, 1, -1], np.int32)
  loss = cross_entropy.CrossEntropy(ranks=("genus",))
  assert loss.labels == ("genus",)
  out = types.Outputs(labels={"aux": {"genus": jnp.asarray(logits)}})
  inputs = types.Inputs(labels={"genus": jnp.asarray(labels)})
  p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
  rows = [0, 2, 3]
  sums = sums_of(loss, out, inputs, "aux")
  np.testing.assert_allclose(sums["loss"], -np.log(p[rows, labels[rows]]).sum(), rtol=1e-5)
  assert sums["weight"] == loss.count(inputs) == 3
  assert sums["correct_genus"] == (logits.argmax(1) == labels)[rows].sum()

  def total(logits):
    out = types.Outputs(labels={"aux": {"genus": logits}})
    return loss.sums(out, inputs, "aux", is_training=True)["loss"]
  gradient = np.abs(jax.grad(total)(jnp.asarray(logits))).max(axis=1)
  assert (gradient[rows] > 0).all() and (gradient[[1, 4]] == 0).all()
  unlabelled = inputs.replace(labels={"genus": jnp.full(5, -1)})
  assert set(sums_of(loss, out, unlabelled, "aux").values()) == {0}


@pytest.mark.parametrize("loss, objective, message", [
    (token_prediction.MaskedPrediction(), causal_lm.CausalLM(), "name='masked_prediction'"),
    (token_prediction.VisiblePrediction(), classifier.Classifier(), "name='visible_prediction'"),
    (token_prediction.NextToken(), mae.MaskedAutoencoder(), "name='next_token'.*next token"),
    (token_prediction.MaskedPrediction(weight=0.0), mae.MaskedAutoencoder(), "weight=0.0"),
    (cross_entropy.CrossEntropy(ranks=("genus",), head_dropout=1.0), mae.MaskedAutoencoder(),
     "head_dropout=1.0"),
    (cross_entropy.CrossEntropy(ranks=("genus",), pooling="cls"), mae.MaskedAutoencoder(),
     "pooling='cls' must be 'mean'")])
def test_a_loss_that_does_not_fit_is_refused_by_its_key(loss, objective, message):
  setup = parts.Setup(objective=objective, tokenizer=tokenizer.Tokenizer(VOCAB, 2, 20))
  with pytest.raises(errors.UserError, match=f"losses.it.{message}"):
    build.check(loss, setup, "losses.it")


def test_a_pooling_that_is_unknown_is_refused():
  with pytest.raises(errors.UserError, match="pooling='max' must be 'mean' or 'cls'"):
    build.part("loss", dict(name="cross_entropy", ranks=("genus",), pooling="max"), "losses.it")
