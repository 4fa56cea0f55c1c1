"""What a Transformer part refuses and reports."""

import builders
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dnajax.config import build
from dnajax.models import blocks
from dnajax.shell import errors, parts

SETUP = parts.Setup(tokenizer=builders.TOKENIZER)


def test_the_small_encoder_of_these_tests_is_right():
  build.check(builders.encoder(), SETUP, "encoder")


@pytest.mark.parametrize("changes, message", [
    (dict(num_heads=3), "encoder.num_heads=3 must be a divisor of encoder.width=16"),
    (dict(num_heads=0), "encoder.num_heads=0"), (dict(depth=0), "encoder.depth=0"),
    (dict(dropout=1.0), "encoder.dropout=1.0"),
    (dict(dropout=0.1, attention="xla"), "encoder.dropout=0.1 must be 0 unless"),
    (dict(remat="foo"), "'nothing_saveable'"),
    (dict(remat="save_only_these_names"), "encoder.remat='save_only_these_names' must be 'none'"),
    (dict(max_positions=11), "encoder.max_positions=11 .*12.*data.max_length=24")])
def test_what_does_not_go_together_is_refused_by_its_key(changes, message):
  with pytest.raises(errors.UserError, match=message):
    build.check(builders.encoder(**changes), SETUP, "encoder")


@pytest.mark.parametrize("key", ["norm", "attention", "dtype"])
def test_an_unknown_option_names_the_known_ones(key):
  with pytest.raises(errors.UserError, match=f"encoder.{key}='foo' must be '.*' or '"):
    build.part("encoder", {"name": "transformer", key: "foo"}, "encoder")


def test_every_policy_that_is_allowed_can_be_used():
  assert {"nothing_saveable", "dots_saveable", "everything_saveable"} <= set(
      blocks.remat_policies())
  for name in blocks.remat_policies():
    policy = getattr(jax.checkpoint_policies, name)
    jax.eval_shape(jax.grad(jax.checkpoint(lambda x: jnp.sin(x @ x).sum(), policy=policy)),
                   jax.ShapeDtypeStruct((2, 2), jnp.float32))


def test_flops_are_those_of_the_products():
  # Per token: q, k, v and out; up and down; scores and their product with the values.
  one = builders.encoder(depth=1)
  products = 4 * 2 * 16 * 16 + 2 * 2 * 16 * 32 + 2 * 2 * 10 * 16
  assert one.flops_per_token(10) == products
  assert builders.encoder(depth=3).flops_per_token(10) == 3 * products


def test_a_causal_encoder_has_the_same_parameters_and_sees_nothing_behind():
  ids, pad_mask, _ = builders.sentences(lengths=(12, 12, 9))
  ids, pad_mask = jnp.asarray(ids), jnp.asarray(pad_mask)
  for changes in ({}, dict(norm="pre"), dict(attention="xla")):
    plain, causal = (builders.encoder(**changes).module(builders.VOCAB, is_causal=is_causal)
                     for is_causal in (False, True))
    params = jax.tree.map(lambda x: 20 * x, causal.init(jax.random.key(0), ids, pad_mask))
    assert jax.tree.structure(params) == jax.tree.structure(jax.eval_shape(
        lambda m=plain: m.init(jax.random.key(0), ids, pad_mask)))
    run = jax.jit(lambda ids, m=causal, p=params: m.apply(p, ids, pad_mask))
    before = run(ids)
    for place in (0, 5, 11):
      after = run(ids.at[:, place].set(2 + (ids[:, place] + 1) % 16))
      np.testing.assert_array_equal(before[:, :place], after[:, :place])
      assert np.abs(before[0, place:] - after[0, place:]).max() > 1e-3
    assert np.abs(before - plain.apply(params, ids, pad_mask)).max() > 1e-3
