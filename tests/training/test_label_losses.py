"""Cross-entropy of labels: ranks, smoothing, heads, margin; the ramp that all losses have."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from flax.core import FrozenDict

from dnajax.config import build
from dnajax.models import label_heads, types
from dnajax.shell import errors, parts
from dnajax.training.losses import cross_entropy, smoothing

RANKS = ("genus", "family")
FAMILY_OF = np.array([0, 0, 1, 1, 1, -1])  # of six genera; the last has none
GENUS = np.array([4, -1, 0, 5, 1, 2])
FAMILY = np.array([1, 1, -1, -1, 0, -1])


def log_softmax(x):
  return x - np.log(np.exp(x).sum(axis=-1, keepdims=True))


def some_logits():
  rng = np.random.default_rng(0)
  return {"genus": rng.normal(size=(6, 6)).astype(np.float32),
          "family": rng.normal(size=(6, 2)).astype(np.float32)}


def sums_of(loss, logits, *, is_training=True):
  labels = {"genus": jnp.asarray(GENUS), "family": jnp.asarray(FAMILY)}
  outputs = types.Outputs(labels={"it": {k: jnp.asarray(x) for k, x in logits.items()}})
  inputs = types.Inputs(labels=labels)
  sums = loss.sums(outputs, inputs, "it", is_training=is_training)
  assert sums["weight"] == loss.count(inputs)
  return {key: float(x) for key, x in sums.items()}


class TinySplit:
  """Records of six genera; the parent of genus 0 is wrong in one of three."""
  columns = {"genus": np.array([0, 0, 0, 1, 2, 3, 4, 5, -1, -1]),
             "family": np.array([0, 0, 1, 0, 1, 1, 1, -1, 1, -1])}

  def labels(self, column):
    return self.columns[column]

  def vocabulary(self, column):
    return [str(n) for n in range({"genus": 6, "family": 2}[column])]


def test_the_mean_is_over_the_known_labels_of_all_ranks():
  loss, logits = cross_entropy.CrossEntropy(ranks=RANKS), some_logits()
  assert loss.labels == RANKS
  total, count, right = 0.0, 0, {}
  for rank, labels in (("genus", GENUS), ("family", FAMILY)):
    for row, label in zip(logits[rank], labels, strict=True):
      if label >= 0:
        total -= log_softmax(row)[label]
        count += 1
        right.setdefault(rank, []).append(row.argmax() == label)
  sums = sums_of(loss, logits)
  assert count == sums["weight"] == 8
  assert sums["loss"] == pytest.approx(total, rel=1e-5)
  found = {one.name: one.value for one in loss.metrics(sums)}
  assert found["accuracy"] == pytest.approx(np.mean(right["genus"]))
  assert found["family_accuracy"] == pytest.approx(np.mean(right["family"]))
  nobody = {one.name: one.value for one in loss.metrics(dict.fromkeys(sums, 0.0))}
  assert np.isnan([nobody["loss"], nobody["accuracy"], nobody["family_accuracy"]]).all()


def slow_targets(label, share, parents):
  """Probabilities that smoothing gives the labels."""
  siblings = [other for other in range(len(parents))
              if parents[label] in (-1, parents[other])]
  target = np.zeros(len(parents))
  target[siblings] += share / len(siblings)
  target[label] += 1 - share
  return target


@pytest.mark.parametrize("along", [False, True])
def test_smoothed_labels_are_those_of_the_taxonomy_in_training_only(along):
  plain = cross_entropy.CrossEntropy(ranks=RANKS)
  loss = cross_entropy.CrossEntropy(ranks=RANKS, label_smoothing=0.2,
                                    smoothing_along_taxonomy=along).bind(TinySplit())
  logits, want = some_logits(), 0.0
  alike = {"genus": FAMILY_OF if along else np.zeros(6, int), "family": np.zeros(2, int)}
  for rank, labels in (("genus", GENUS), ("family", FAMILY)):
    for row, label in zip(logits[rank], labels, strict=True):
      if label >= 0:
        target = slow_targets(label, 0.2, alike[rank])
        assert target.sum() == pytest.approx(1)
        want -= (target * log_softmax(row)).sum()
  assert sums_of(loss, logits)["loss"] == pytest.approx(want, rel=1e-5)
  assert sums_of(loss, logits, is_training=False) == pytest.approx(sums_of(plain, logits))


def test_the_smoothed_share_goes_to_siblings_alone():
  # The gradient of a loss by its logits is what is said less what is wanted.
  logits, labels = jnp.zeros((3, 6)), jnp.array([3, 0, 5])
  is_sibling = smoothing.siblings(jnp.asarray(FAMILY_OF), labels)
  wanted = 1 / 6 - jax.grad(lambda x: smoothing.cross_entropy(
      x, labels, share=0.3, is_sibling=is_sibling).sum())(logits)
  np.testing.assert_allclose(wanted, [
      [0, 0, 0.1, 0.8, 0.1, 0], [0.85, 0.15, 0, 0, 0, 0],
      [0.05, 0.05, 0.05, 0.05, 0.05, 0.75]], atol=1e-6)


def test_the_parent_of_a_label_is_the_one_most_records_have():
  split = TinySplit()
  np.testing.assert_array_equal(
      smoothing.parents(split.labels("genus"), split.labels("family"), 6), FAMILY_OF)
  np.testing.assert_array_equal(smoothing.parents(np.array([-1]), np.array([0]), 2), [-1, -1])
  np.testing.assert_array_equal(  # of equally many the first
      smoothing.parents(np.array([0, 0, 0, 0]), np.array([3, 1, 3, 1]), 1), [1])


def head_of(kind, pooling="mean", **options):
  rng = np.random.default_rng(0)
  pooled = {name: jnp.asarray(rng.normal(size=(4, 6)), jnp.float32) for name in ("mean", "cls")}
  module = label_heads.LabelHeads(FrozenDict(genus=3, family=2), pooling, 0.0, kind, **options)
  params = nn.unbox(module.init(jax.random.key(0), pooled, deterministic=True))["params"]
  return module, params, pooled


def test_a_cosine_head_reads_directions_after_a_shift():
  module, params, pooled = head_of("cosine", "cls", scale=5.0)
  assert set(params["genus"]) == {"bias", "classes"} and not params["genus"]["bias"].any()
  params["genus"]["bias"] = jnp.arange(6) / 4
  logits = module.apply({"params": params}, pooled, deterministic=True)["genus"]
  for b in range(4):
    for c in range(3):
      x, y = pooled["cls"][b] + jnp.arange(6) / 4, params["genus"]["classes"][:, c]
      want = 5 * x @ y / np.sqrt((x @ x) * (y @ y))
      assert logits[b, c] == pytest.approx(float(want), abs=1e-5)
  # Class vectors have no size that counts, and a feature of zero has a gradient.
  params["genus"]["classes"] *= 3
  again = module.apply({"params": params}, pooled, deterministic=True)["genus"]
  np.testing.assert_allclose(again, logits, atol=1e-5)
  params["genus"]["bias"] = jnp.zeros(6)
  slope = jax.grad(lambda x: module.apply(
      {"params": params}, {"cls": x}, deterministic=True)["genus"].sum())(jnp.zeros((4, 6)))
  assert np.isfinite(slope).all()


def test_a_published_head_normalises_first():
  module, params, pooled = head_of("norm_linear")
  said = module.apply({"params": params}, pooled, deterministic=True)
  assert set(params["family"]) == {"norm", "to_labels"}
  x = np.asarray(pooled["mean"])
  x = (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True)
  np.testing.assert_allclose(said["family"], x @ params["family"]["to_labels"]["kernel"],
                             atol=1e-5)


def test_a_margin_is_taken_from_the_right_cosine_in_training():
  loss = cross_entropy.CrossEntropy(ranks=("genus",), head="cosine", scale=4.0, margin=0.2)
  logits = some_logits()["genus"]
  less = logits.copy()
  for row, label in zip(less, GENUS, strict=True):
    if label >= 0:
      row[label] -= 0.8
  plain = cross_entropy.CrossEntropy(ranks=("genus",))
  got = sums_of(loss, {"genus": logits})
  assert got["loss"] == pytest.approx(sums_of(plain, {"genus": less})["loss"], rel=1e-5)
  unchanged = sums_of(plain, {"genus": logits})
  assert got["correct_genus"] == unchanged["correct_genus"]
  assert sums_of(loss, {"genus": logits}, is_training=False) == unchanged


def test_a_weight_rises_over_its_ramp():
  loss = cross_entropy.CrossEntropy(ranks=("genus",), weight=0.5, ramp_steps=4)
  assert [float(loss.weight_at(jnp.asarray(step))) for step in (0, 1, 2, 4, 9)] == [
      0, 0.125, 0.25, 0.5, 0.5]
  assert cross_entropy.CrossEntropy(ranks=("genus",), weight=0.5).weight_at(0) == 0.5


@pytest.mark.parametrize("changes, message", [
    (dict(ranks=()), "ranks=.*at least one column"),
    (dict(ranks=("genus", "genus")), "ranks=.*each once"),
    (dict(ramp_steps=-1), "ramp_steps=-1 must be at least 0"),
    (dict(margin=0.2), "margin=0.2 must be 0 unless head='cosine'"),
    (dict(head="cosine", margin=2.0), "margin=2.0 must be at least 0"),
    (dict(head="cosine", scale=0.0), "scale=0.0 must be above 0"),
    (dict(label_smoothing=1.0), "label_smoothing=1.0"),
    (dict(smoothing_along_taxonomy=True), "smoothing_along_taxonomy=True must be False"),
    (dict(smoothing_along_taxonomy=True, label_smoothing=0.1, ranks=("genus",)),
     "smoothing_along_taxonomy=True must be False unless"),
    (dict(head="arcface"), "head='arcface' must be 'linear', 'norm_linear' or 'cosine'"),
    (dict(label="genus"), "There is no config.losses.it.label; did you mean")])
def test_a_wrong_key_is_refused_by_name(changes, message):
  with pytest.raises(errors.UserError, match=message):
    build.check(build.part("loss", dict(name="cross_entropy", ranks=RANKS) | changes,
                           "losses.it"), parts.Setup(), "losses.it")


def test_a_loss_that_is_bound_is_still_the_same_part():
  loss = cross_entropy.CrossEntropy(ranks=RANKS, label_smoothing=0.1)
  assert loss.bind(None) is loss
  bound = cross_entropy.CrossEntropy(
      ranks=RANKS, label_smoothing=0.1, smoothing_along_taxonomy=True, weight=3.0).bind(TinySplit())
  assert bound.weight == 3.0 and set(bound.parents) == {"genus"}
