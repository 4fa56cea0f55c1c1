"""Classification: scores of logits, and which loss's head is asked."""

import types

import evaluating
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn import metrics

from dnajax.evaluators import classification
from dnajax.shell import errors, parts

NUM_DEVICES = 8


def test_scores_are_those_of_the_most_probable_label():
  rng = np.random.default_rng(0)
  logits, labels = rng.normal(size=(50, 3)).astype(np.float32), rng.integers(0, 3, 50)
  got = evaluating.values(classification.Runner(lambda params: logits, labels), None)
  shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
  assert got["loss"] == pytest.approx(metrics.log_loss(labels, shares), rel=1e-5)
  assert got["accuracy"] == (logits.argmax(axis=1) == labels).mean()
  assert "f1" not in got and got["num_queries"] == 50
  two = evaluating.values(classification.Runner(lambda params: logits[:, :2], labels % 2), None)
  assert two["f1"] == pytest.approx(metrics.f1_score(labels % 2, logits[:, :2].argmax(axis=1)))


def test_logits_that_are_not_finite_give_nan():
  runner = classification.Runner(lambda params: np.full((4, 2), np.nan), np.zeros(4, int))
  got = evaluating.values(runner, None)
  assert all(np.isnan(got[name]) for name in ("loss", "accuracy", "mcc", "f1"))
  assert runner.is_right is None and got["majority_share"] == 1


class FakeTask:
  """Says of every row the genus it is told."""
  losses = {"tokens": types.SimpleNamespace(labels=(), predicts="tokens"),
            "pairs": types.SimpleNamespace(labels=("order",), predicts=""),
            "genus": types.SimpleNamespace(labels=("genus", "order"), predicts="labels"),
            "family": types.SimpleNamespace(labels=("family",), predicts="labels")}

  def predict(self, params, bases):
    return {name: {name: jnp.zeros((len(bases), 9)).at[:, params[name]].set(1.0)}
            for name in ("genus", "family")}


@pytest.mark.parametrize("loss", ["genus", "family"])
def test_the_head_of_the_named_loss_is_asked_for_its_own_labels(tiny_data, loss):
  context = evaluating.context(tiny_data, task=FakeTask())
  part = evaluating.part("classification", split="test", loss=loss, batch_size=16)
  runner = part.build(context)
  labels = context.split("test").labels(loss)
  got = evaluating.values(runner, {"genus": 1, "family": 0})
  assert got["accuracy"] == pytest.approx((labels == {"genus": 1, "family": 0}[loss]).mean())
  assert f"config.losses.{loss}" in runner.protocol


def test_a_loss_that_is_not_clear_is_told_with_those_that_say_labels(tiny_data):
  for loss in ("", "tokens", "species"):
    with pytest.raises(errors.UserError, match="loss=.*genus, family"):
      evaluating.part("classification", split="test", loss=loss,
                      setup=parts.Setup(losses=FakeTask.losses))
    with pytest.raises(errors.UserError, match="loss=.*genus, family"):
      evaluating.part("classification", split="test", loss=loss).build(
          evaluating.context(tiny_data, task=FakeTask()))
  one = {name: FakeTask.losses[name] for name in ("tokens", "genus")}
  evaluating.part("classification", split="test", setup=parts.Setup(losses=one))
  with pytest.raises(errors.UserError, match="no loss of this run says labels"):
    evaluating.part("classification", split="test",
                    setup=parts.Setup(losses={"tokens": FakeTask.losses["tokens"]}))


def test_all_devices_share_the_rows(tiny_data):
  from dnajax.devices import partitioning
  mesh = partitioning.make_mesh({"data": 4, "fsdp": 2, "tensor": 1})
  part = evaluating.part("classification", split="test", loss="genus", batch_size=10)
  params = {"genus": 1, "family": 0}
  alone = evaluating.values(
      part.build(evaluating.context(tiny_data, task=FakeTask())), params)
  with partitioning.use(mesh):
    spread = evaluating.values(part.build(evaluating.context(
        tiny_data, task=FakeTask(), mesh=mesh)), jax.tree.map(jnp.asarray, params))
  assert spread == alone
