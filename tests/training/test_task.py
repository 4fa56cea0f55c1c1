"""An objective and its losses as the functions of a training step."""

import dataclasses
import types as python_types

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn

from dnajax.config import build, registry
from dnajax.masking import bound, corrupt, settings, uniform
from dnajax.models.encoders import conv, transformer
from dnajax.shell import errors, parts
from dnajax.tokens import tokenizer as tokenizer_lib
from dnajax.training import state as state_lib
from dnajax.training import step, task
from dnajax.training.losses import cross_entropy, token_prediction
from dnajax.training.objectives import causal_lm, classifier, mae, masked_lm

BATCH, NUM_GENERA = 8, 3
TOKENIZER = tokenizer_lib.make(tokenizer_lib.TokenSettings(k=2, stride=2), 20)  # 10 tokens
SMALL = transformer.Transformer(width=16, depth=1, num_heads=2, mlp_width=24,
                                max_positions=16, dropout=0.0, norm="pre")
CONV = conv.Conv(width=16, depth=2, mlp_width=24, dropout=0.0)
MAE = mae.MaskedAutoencoder(decoder_width=16, decoder_depth=1, decoder_num_heads=2,
                            decoder_mlp_width=24)
MASKED = {"masked": token_prediction.MaskedPrediction()}
NEXT = {"next": token_prediction.NextToken()}
GENUS = {"genus": cross_entropy.CrossEntropy(ranks=("genus",), weight=0.5, head_dropout=0.0)}


def make(objective, losses, *, encoder=SMALL, corruption=None, tokenizer=TOKENIZER,
         num_labels=NUM_GENERA):
  heads = {name: loss.module({"genus": num_labels})
           for name, loss in losses.items()}
  masking = None
  if objective.hides_tokens:
    values = settings.Masking(selection=uniform.Uniform(ratio=0.5), corruption=corruption
                              or corrupt.Replace(),
                              curriculum=build.part("curriculum", {"name": "none"}, ""))
    masking = bound.bind(values, tokenizer, ranks=None, score_unselected=any(
        loss.scores_visible for loss in losses.values()))
  return task.Task(objective.module(encoder, tokenizer, heads), tokenizer, objective, losses,
                   masking, 10)


def batch_of(seed=0, labels=(0, -1, 1, 2, -1, 0, 0, 1)):
  """Random bases; those of a genus begin alike."""
  rng = np.random.default_rng(seed)
  bases = rng.integers(0, 4, (BATCH, 20)).astype(np.uint8)
  bases[6, 13:] = 5
  for row, label in zip(bases, labels, strict=True):
    row[:6] = label + 1
  return {"bases": jnp.asarray(bases), "labels": {"genus": jnp.asarray(labels, jnp.int32)}}


def params_of(one):
  return nn.unbox(jax.jit(one.init_params)(jax.random.key(0)))


def prepared(one, batch, key=1):
  state = state_of(one, optax.identity())
  return jax.jit(one.make_prepare())(jax.random.key(key), jax.random.key(2), batch, state)


CASES = {
    "mae": (MAE, MASKED, dict(corruption=corrupt.Drop())),
    "mae_genus": (MAE, MASKED | GENUS, dict(corruption=corrupt.Drop())),
    "mae_visible": (MAE, dict(
        masked=token_prediction.MaskedPrediction(weight=0.7),
        visible=token_prediction.VisiblePrediction(weight=0.3)), dict(corruption=corrupt.Hide())),
    "masked_lm_conv": (masked_lm.MaskedLM(), MASKED, dict(encoder=CONV)),
    "mae_conv": (MAE, MASKED | GENUS, dict(encoder=CONV, corruption=corrupt.Hide())),
    "causal_lm": (causal_lm.CausalLM(), NEXT | GENUS, {}),
    "classifier": (classifier.Classifier(), GENUS, {}),
    "classifier_conv": (classifier.Classifier(), GENUS, dict(encoder=CONV)),
}


def state_of(one, optimizer):
  params = params_of(one)
  names = step.sum_names(one, batch_of())
  return state_lib.TrainState(jnp.zeros((), jnp.int32), params, optimizer.init(params),
               jax.random.key_data(jax.random.key(3)), one.start(),
               {name: jnp.zeros(()) for name in names})


@pytest.mark.parametrize("name", CASES)
def test_every_pair_is_learned_and_reported(name):
  objective, losses, options = CASES[name]
  one, optimizer = make(objective, losses, **options), optax.adam(1e-2)
  state = state_of(one, optimizer)
  update = jax.jit(step.make_train_step(one, optimizer))
  batch, found = batch_of(), []
  for _ in range(20):
    state = update(state, batch)
    found.append({m.name: m.value for m in one.metrics(
        {key: float(x) for key, x in state.sums.items()}, BATCH)})
    state = state.replace(sums=jax.tree.map(jnp.zeros_like, state.sums))
  assert all(np.isfinite(row["train/loss"]) for row in found)
  assert found[-1]["train/loss"] < 0.95 * found[0]["train/loss"]
  assert ("masking/share" in found[0]) == objective.hides_tokens
  assert ("train/genus/accuracy" in found[0]) == ("genus" in losses and len(losses) > 1)
  if "genus" in losses:
    accuracy = "train/genus/accuracy" if len(losses) > 1 else "train/accuracy"
    assert found[-1][accuracy] > 0.8
    logits = jax.jit(one.predict)(state.params, batch["bases"])
    assert logits["genus"]["genus"].shape == (BATCH, NUM_GENERA)
  else:
    assert one.predict(state.params, batch["bases"]) == {}
  assert "encoder" in state.params


def test_the_loss_is_the_weighted_sum_of_means():
  one = make(*CASES["mae_genus"][:2], **CASES["mae_genus"][2])
  params, batch = params_of(one), batch_of()
  inputs, scales, counts = prepared(one, batch)
  loss, sums = jax.jit(one.loss)(params, inputs, jax.random.key(0), scales)
  assert sums["genus/weight"] == 6 and counts["masking/selected"] == sums["masked/weight"]
  want = sums["masked/loss"] / sums["masked/weight"] + 0.5 * sums["genus/loss"] / 6
  np.testing.assert_allclose(loss, want, rtol=1e-6)
  sums = {name: float(x) for name, x in {**sums, **counts, "updates": 1.0}.items()}
  found = {m.name: m.value for m in one.metrics(sums, BATCH)}
  assert found["train/loss"] == pytest.approx(float(want), rel=1e-6)
  assert found["train/accuracy"] == sums["masked/correct"] / sums["masked/weight"]
  assert found["train/genus/loss"] == pytest.approx(sums["genus/loss"] / 6)
  assert found["masking/share"] == sums["masking/selected"] / sums["masking/maskable"]


@pytest.mark.parametrize("name", ["mae_genus", "causal_lm", "classifier", "mae_visible"])
def test_a_batch_in_parts_has_the_gradient_of_the_whole(name):
  objective, losses, options = CASES[name]
  one, optimizer = make(objective, losses, **options), optax.sgd(1.0)
  whole, parted = (jax.jit(step.make_train_step(one, optimizer, num_parts=num))(
      state_of(one, optimizer), batch_of()) for num in (1, 4))
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5),
               (whole.params, whole.sums), (parted.params, parted.sums))


def test_unlabelled_rows_reach_the_token_loss_only():
  one = make(*CASES["mae_genus"][:2], **CASES["mae_genus"][2])
  params = params_of(one)
  grads = {}
  for case, labels in (("some", (0, -1, 1, 2, -1, 0, 0, 1)), ("none", (-1,) * BATCH)):
    batch = batch_of() | {"labels": {"genus": jnp.asarray(labels, jnp.int32)}}
    inputs, scales, _ = prepared(one, batch)
    grads[case], sums = jax.jit(jax.grad(one.loss, has_aux=True))(
        params, inputs, jax.random.key(0), scales)
  assert sums["genus/weight"] == 0 and sums["masked/weight"] > 0
  head = grads["none"]["heads_genus"]["genus"]["to_labels"]["kernel"]
  assert np.abs(head).max() == 0 and np.abs(grads["some"]["heads_genus"]["genus"]["to_labels"][
      "kernel"]).max() > 0
  assert np.abs(grads["none"]["encoder"]["word"]).max() > 0


@pytest.mark.parametrize("name", ["mae_genus", "causal_lm", "classifier"])
def test_rows_that_only_fill_a_batch_change_no_evaluation(name):
  objective, losses, options = CASES[name]
  one = make(objective, losses, **options)
  params, batch = params_of(one), batch_of()
  is_real = jnp.arange(BATCH) < 5
  run = jax.jit(one.eval_sums)
  got = run(params, batch | {"is_real": is_real}, jax.random.key(0))
  filled = {"bases": jnp.where(is_real[:, None], batch["bases"], 5),
            "labels": {"genus": jnp.where(is_real, batch["labels"]["genus"], 2)},
            "is_real": is_real}
  other = run(params, filled, jax.random.key(0))
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), got, other)
  assert got["genus/weight"] == 3
  found = {m.name: m for m in one.eval_metrics({key: float(x) for key, x in got.items()})}
  assert {"loss", "accuracy"} <= set(found)
  main = found["num_labelled" if name == "classifier" else "num_tokens"]
  assert main.value == float(got[f"{one.main}/weight"]) and main.unit == "count"
  # Labels that are not brought count as absent.
  less = run(params, {"bases": batch["bases"], "is_real": is_real}, jax.random.key(0))
  assert less["genus/weight"] == 0


def test_the_main_loss_is_of_hidden_tokens_if_there_is_one():
  assert make(*CASES["mae_genus"][:2]).main == "masked"
  both = dict(CASES["mae_visible"][1], visible=token_prediction.VisiblePrediction(weight=5.0))
  assert make(MAE, both).main == "masked"
  two = {"a": cross_entropy.CrossEntropy(ranks=("genus",)),
         "b": cross_entropy.CrossEntropy(ranks=("genus",), weight=2.0)}
  assert make(classifier.Classifier(), two).main == "b"


def test_a_task_names_the_labels_it_needs_and_takes_another_masking():
  one = make(*CASES["mae_genus"][:2])
  assert one.labels == ("genus",) and make(MAE, MASKED).labels == ()
  drop = make(MAE, MASKED, corruption=corrupt.Drop())
  changed = make(MAE, MASKED).with_masking(drop.masking)
  inputs, *_ = prepared(changed, batch_of())
  assert not inputs.masked.is_in_place
  assert one.stage(None, 0) == ("", []) and one.observe("x", 2.0, None, 1) is None


def test_cls_is_read_where_there_is_one():
  tokenizer = tokenizer_lib.make(tokenizer_lib.TokenSettings(k=2, stride=2, add_cls=True), 20)
  losses = MASKED | {"genus": cross_entropy.CrossEntropy(ranks=("genus",), pooling="cls")}
  one = make(MAE, losses, corruption=corrupt.Drop(), tokenizer=tokenizer)
  params = params_of(one)
  assert "pooler" in params["heads_genus"]["genus"]
  inputs, scales, _ = prepared(one, batch_of())
  grads = jax.jit(jax.grad(one.loss, has_aux=True))(params, inputs, jax.random.key(0), scales)[0]
  assert np.abs(grads["heads_genus"]["genus"]["pooler"]["kernel"]).max() > 0


@pytest.mark.parametrize("objective, masking, message", [
    (masked_lm.MaskedLM(), corrupt.Drop(), "objective.name='masked_lm' must be 'mae'.*'replace'"),
    (mae.MaskedAutoencoder(decoder_num_heads=3), corrupt.Drop(),
     "decoder_num_heads=3 must be a divisor of objective.decoder_width=128"),
    (mae.MaskedAutoencoder(decoder_depth=0), corrupt.Drop(), "decoder_depth=0")])
def test_an_objective_refuses_what_it_cannot_do(objective, masking, message):
  setup = parts.Setup(masking=python_types.SimpleNamespace(corruption=masking))
  with pytest.raises(errors.UserError, match=message):
    build.check(objective, setup, "objective")


@pytest.mark.parametrize("kind", ["encoder", "objective", "loss"])
def test_the_names_that_messages_say_are_those_of_the_registry(kind):
  for name in registry.of(kind).names:
    assert getattr(registry.of(kind)(name), "name", name) == name


def test_an_unknown_head_is_refused():
  with pytest.raises(errors.UserError, match="objective.head='pooled' must be 'linear'"):
    build.part("objective", dict(name="masked_lm", head="pooled"), "objective")


def test_flops_of_a_row_are_two_per_weight_and_position():
  wide = dataclasses.replace(SMALL, depth=2)
  flops = MAE.flops_per_row(wide, TOKENIZER, num_kept=4, num_scored=6)
  attention = 4 * 4 * 4 * 16 * 2 + 4 * 10 * 10 * 16
  weights = (4 * 2 * (4 * 16 * 16 + 2 * 16 * 24) + 4 * 16 * 16
             + 10 * (4 * 16 * 16 + 2 * 16 * 24) + 6 * 16 * 16)
  assert flops == 2 * weights + attention
