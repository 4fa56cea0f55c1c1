"""Losses that compare the sequences of a batch, against loops over its pairs."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from jax.sharding import NamedSharding, PartitionSpec

from dnajax.config import build
from dnajax.devices import partitioning
from dnajax.models import types
from dnajax.shell import errors, parts
from dnajax.tokens import tokenizer, vocabulary
from dnajax.training.losses import identity, pairs, supervised_contrastive, triplet, vicreg

NUM_DEVICES = 8
LABELS = np.array([0, 1, 0, -1, 1, 2, 0, -1])  # class 2 has no second
PAIRS = pairs.Pairs(rank="genus", head_width=5, head_dropout=0.0)
TRIPLET = triplet.Triplet(rank="genus", margin=0.3)
CONTRAST = supervised_contrastive.SupervisedContrastive(rank="genus", temperature=0.5)
VICREG = vicreg.Vicreg(target_std=1.2)
IDENTITY = identity.Identity()
ALL = {loss.name: loss for loss in (PAIRS, TRIPLET, CONTRAST, VICREG, IDENTITY)}
BASES = np.random.default_rng(2).integers(0, 5, (8, 7)).astype(np.uint8)  # 4 is unknown


def features(seed=0, size=8):
  return np.random.default_rng(seed).normal(size=(size, 4)).astype(np.float32)


def head_params(loss):
  """Large random parameters of the head of a loss; None without a head."""
  module = loss.module({})
  if module is None:
    return None
  params = nn.unbox(module.init(jax.random.key(0), {"mean": jnp.zeros((2, 4))},
                                deterministic=True))
  return jax.tree.map(lambda x: jnp.asarray(
      np.random.default_rng(x.size).normal(size=x.shape), jnp.float32), params)


def case(loss, x, labels=LABELS, is_real=None, bases=BASES):
  """(Outputs, Inputs) of features."""
  pooled, said = {"mean": jnp.asarray(x)}, {}
  if head_params(loss) is not None:
    said["it"] = loss.module({}).apply(head_params(loss), pooled, deterministic=True)
  labels = jnp.asarray(labels)
  inputs = types.Inputs(
      labels={"genus": labels}, bases=jnp.asarray(bases),
      is_real=jnp.ones(labels.shape, bool) if is_real is None else jnp.asarray(is_real))
  return types.Outputs(pooled=pooled, labels=said), inputs


def sums_of(loss, *args):
  return loss.sums(*case(loss, *args), "it", is_training=True)


def floats(sums):
  return {key: float(x) for key, x in sums.items()}


def mean_loss(loss, x, *args):
  sums = sums_of(loss, x, *args)
  return sums["loss"] / sums["weight"]


def cosine(a, b):
  return a @ b / np.sqrt((a @ a) * (b @ b))


def softplus(x):
  return np.log1p(np.exp(x))


def others(i, is_same):
  return [j for j in range(8) if j != i and LABELS[j] >= 0
          and (LABELS[i] == LABELS[j]) == is_same]


def test_pairs_of_one_class_count_as_much_as_those_of_two():
  x, params = features(), head_params(PAIRS)["params"]
  kernel = np.concatenate([params["first"]["kernel"], params["second"]["kernel"]])  # [2D, H]
  nats, right = {True: [], False: []}, {True: [], False: []}
  for i in np.flatnonzero(LABELS >= 0):
    for is_same in (True, False):
      for j in others(i, is_same):
        hidden = np.maximum(np.concatenate([x[i], x[j]]) @ kernel + params["first"]["bias"], 0)
        logit = float(hidden @ params["to_logit"]["kernel"][:, 0] + params["to_logit"]["bias"][0])
        nats[is_same].append(softplus(-logit if is_same else logit))
        right[is_same].append((logit > 0) == is_same)
  sums = floats(sums_of(PAIRS, x))
  assert sums["weight"] == 6
  mean = lambda of: (np.mean(of[True]) + np.mean(of[False])) / 2
  assert sums["loss"] / 6 == pytest.approx(mean(nats), rel=1e-5)
  assert sums["correct"] / 6 == pytest.approx(mean(right), rel=1e-5)


def test_a_triplet_is_of_the_farthest_and_the_nearest():
  x, nats, right = features(), [], []
  for i in range(8):
    if LABELS[i] in (0, 1):
      positive = max(1 - cosine(x[i], x[j]) for j in others(i, True))
      negative = min(1 - cosine(x[i], x[j]) for j in others(i, False))
      nats.append(softplus(positive - negative + 0.3))
      right.append(positive < negative)
  sums = floats(sums_of(TRIPLET, x))
  assert sums == pytest.approx(
      dict(loss=sum(nats), weight=5, correct=sum(right)), rel=1e-5)


def test_the_contrastive_loss_is_khoslas_equation_2():
  x, nats, right = features(), [], []
  for i in range(8):
    positives = others(i, True) if LABELS[i] >= 0 else []
    if positives:
      scores = {j: cosine(x[i], x[j]) / 0.5 for j in positives + others(i, False)}
      total = np.log(sum(np.exp(list(scores.values()))))
      nats.append(-np.mean([scores[j] - total for j in positives]))
      right.append(max(scores, key=scores.get) in positives)
  sums = floats(sums_of(CONTRAST, x))
  assert sums == pytest.approx(dict(loss=sum(nats), weight=5, correct=sum(right)), rel=1e-5)


def test_same_class_features_are_pulled_together():
  for loss in (TRIPLET, CONTRAST):
    x = features()
    step = jax.grad(lambda x, loss=loss: mean_loss(loss, x))(jnp.asarray(x))
    after = x - 0.1 * step

    def apart(x):
      pairs_of = lambda is_same: [cosine(x[i], x[j]) for i in np.flatnonzero(LABELS >= 0)
                                  for j in others(i, is_same)]
      return np.mean(pairs_of(True)) - np.mean(pairs_of(False))
    assert apart(after) > apart(x)


def test_vicreg_is_the_terms_of_bardes():
  x, is_real = features(), np.arange(8) < 6
  real = x[:6]
  covariance = np.cov(real, rowvar=False)
  std = np.sqrt(np.diagonal(covariance) + 1e-4)
  terms = dict(variance=np.maximum(1.2 - std, 0).mean(), std=std.mean(), covariance=sum(
      covariance[i, j]**2 for i in range(4) for j in range(4) if i != j) / 4)
  terms["loss"] = terms["variance"] + 0.04 * terms["covariance"]
  sums = floats(sums_of(VICREG, x, LABELS, is_real))
  assert sums == pytest.approx({k: 6 * v for k, v in terms.items()} | dict(weight=6), rel=1e-4)
  moved = sums_of(VICREG, x + 7, LABELS, is_real)  # features are centred
  assert floats(moved) == pytest.approx(sums, rel=1e-3)
  slope = jax.grad(lambda x: sums_of(VICREG, x)["loss"])(jnp.ones((8, 4)))
  assert np.isfinite(slope).all()                  # also where all features are alike
  assert set(floats(sums_of(VICREG, x, LABELS, np.arange(8) < 1)).values()) == {0}


def test_identity_is_the_share_of_the_similarities_of_letters_that_features_miss():
  x, is_real = features(), np.arange(8) < 6
  letters = np.zeros((6, 7, 4))
  for row in range(6):
    for place in range(7):
      if BASES[row, place] < 4:
        letters[row, place, BASES[row, place]] = 1
  letters = (letters - letters.mean(axis=0)).reshape(6, -1)
  cosine = lambda a, b: a @ b / np.linalg.norm(a) / np.linalg.norm(b)
  missed = asked = 0
  for i in range(6):
    for j in range(6):
      if i != j:
        asked += cosine(letters[i], letters[j])**2
        missed += (cosine(x[i], x[j]) - cosine(letters[i], letters[j]))**2
  sums = floats(sums_of(IDENTITY, x, LABELS, is_real))
  assert sums == pytest.approx(dict(weight=6, loss=6 * missed / asked), rel=1e-4)
  same = np.concatenate([letters, np.ones((2, 28))])
  assert floats(sums_of(IDENTITY, same, LABELS, is_real))["loss"] == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("name", ALL)
def test_neither_the_order_of_rows_nor_rows_that_do_not_count_change_a_loss(name):
  loss, x, order = ALL[name], features(), np.random.default_rng(1).permutation(8)
  is_real = LABELS >= 0
  want = floats(sums_of(loss, x, LABELS, is_real))
  assert want["weight"] == loss.count(case(loss, x, LABELS, is_real)[1]) > 0
  got = floats(sums_of(loss, x[order], LABELS[order], is_real[order], BASES[order]))
  assert got == pytest.approx(want, rel=1e-5)
  other = np.where(is_real[:, None], x, 0)
  assert floats(sums_of(loss, other, LABELS, is_real)) == pytest.approx(want, rel=1e-5)
  slope = jax.grad(lambda x: sums_of(loss, x, LABELS, is_real)["loss"])(jnp.asarray(other))
  assert np.isfinite(slope).all() and not slope[~is_real].any() and slope.any()


@pytest.mark.parametrize("name", ["pairs", "triplet", "supervised_contrastive"])
@pytest.mark.parametrize("labels", [[-1] * 8, [-1, 3] + [-1] * 6, list(range(8))])
def test_a_batch_without_two_of_a_class_has_no_loss_and_no_mean(name, labels):
  loss = ALL[name]
  sums = floats(sums_of(loss, features(), labels))
  assert set(sums.values()) == {0}
  assert np.isnan(loss.metrics(sums)[0].value)
  slope = jax.grad(lambda x: sums_of(loss, x, labels)["loss"])(jnp.asarray(features()))
  assert not slope.any()


@pytest.mark.parametrize("name", ALL)
def test_a_batch_on_many_devices_has_the_loss_and_gradient_of_one(name):
  x, labels = jnp.asarray(features(size=16)), jnp.asarray(np.tile(LABELS, 2))
  bases = np.tile(BASES, (2, 1))
  run = jax.jit(jax.value_and_grad(
      lambda x, labels: sums_of(ALL[name], x, labels, None, bases)["loss"]))
  want = run(x, labels)
  mesh = partitioning.make_mesh(dict(data=4, fsdp=2, tensor=1))
  rows = NamedSharding(mesh, PartitionSpec(partitioning.BATCH_AXES))
  with partitioning.use(mesh):
    got = run(*jax.device_put((x, labels), rows))
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), got, want)


@pytest.mark.parametrize("loss, changes, message", [
    (PAIRS, dict(head_width=0), "head_width=0 must be at least 1"),
    (PAIRS, dict(head_dropout=1.0), "head_dropout=1.0"),
    (TRIPLET, dict(margin=-0.1), "margin=-0.1"),
    (TRIPLET, dict(pooling="cls"), "pooling='cls' must be 'mean'"),
    (CONTRAST, dict(temperature=0.0), "temperature=0.0"),
    (VICREG, dict(covariance=-1.0), "covariance=-1.0"),
    (VICREG, dict(variance=0.0, covariance=0.0), "variance=0.0 must be above 0"),
    (VICREG, dict(target_std=0.0), "target_std=0.0"),
    (IDENTITY, dict(weight=0.0), "weight=0.0")])
def test_a_wrong_key_is_refused_by_name(loss, changes, message):
  setup = parts.Setup(tokenizer=tokenizer.Tokenizer(
      vocabulary.Vocabulary(2), 2, 20, consensus="train"))
  build.check(loss, setup, "losses.it")
  with pytest.raises(errors.UserError, match=f"losses.it.{message}"):
    build.check(dataclasses.replace(loss, **changes), setup, "losses.it")


def test_identity_asks_for_aligned_rows():
  setup = parts.Setup(tokenizer=tokenizer.Tokenizer(vocabulary.Vocabulary(2), 2, 20))
  with pytest.raises(errors.UserError, match="align_to='train'"):
    build.check(IDENTITY, setup, "losses.it")


@pytest.mark.parametrize("name", ALL)
def test_parts_of_a_batch_are_not_compared(name):
  with pytest.raises(errors.UserError, match=f"name='{name}' must be.*accumulate_steps=1"):
    build.check(ALL[name], parts.Setup(accumulate_steps=2), "losses.it")
