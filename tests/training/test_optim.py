import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dnajax.shell import errors
from dnajax.training import optim, schedules


def torch_one_cycle(step, total, warmup, first, middle, last):
  """PyTorch's OneCycleLR, cosine: two phases that end at given step numbers."""
  turn, end = warmup - 1, total - 1
  a, b, share = ((first, middle, step / turn) if step <= turn
                 else (middle, last, (step - turn) / (end - turn)))
  return b + (a - b) / 2 * (1 + np.cos(np.pi * share))


@pytest.mark.parametrize("total,warmup", [(100, 30), (10, 3), (7, 2)])
def test_one_cycle_is_pytorchs_to_the_update(total, warmup):
  schedule = schedules.OneCycle(warmup_steps=warmup, final_fraction=1 / 25 / 1e4,
                                b1_at_peak=0.85)
  rate, beta = schedule.rate(1.0, total), schedule.first_beta(0.95, total)
  for step in range(total):
    np.testing.assert_allclose(rate(step), torch_one_cycle(
        step, total, warmup, 1 / 25, 1, 1 / 25 / 1e4), rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(beta(step), torch_one_cycle(
        step, total, warmup, 0.95, 0.85, 0.95), rtol=1e-5)


@pytest.mark.parametrize("cls", [schedules.Linear, schedules.Cosine, schedules.Constant])
def test_warmup_starts_at_zero_reaches_the_peak_and_decays_to_the_end(cls):
  rate = cls(warmup_steps=10, final_fraction=0.1).rate(2.0, 50)
  assert rate(0) == 0 and np.isclose(rate(5), 1) and np.isclose(rate(10), 2)
  assert np.isclose(rate(50), 2.0 if cls is schedules.Constant else 0.2)
  assert cls(warmup_fraction=0.2).warmup(50) == 10


def options(schedule=None, **changes):
  return optim.Optimizer(schedule=schedule or schedules.Constant(), **{
      **dict(weight_decay=0.1, no_decay=("bias",)), **changes})


def slow_adamw(params, grads, *, rates, b1s, b2, eps, decay):
  """Decoupled weight decay, bias correction by the present beta (as PyTorch)."""
  mean, square = 0.0, 0.0
  for t, (grad, rate, b1) in enumerate(zip(grads, rates, b1s, strict=True), 1):
    mean = b1 * mean + (1 - b1) * grad
    square = b2 * square + (1 - b2) * grad**2
    update = (mean / (1 - b1**t)) / (np.sqrt(square / (1 - b2**t)) + eps)
    params = params - rate * (update + decay * params)
  return params


@pytest.mark.parametrize("b1_at_peak", [0.9, 0.8])
def test_adamw_follows_its_definition_with_decay_by_path(b1_at_peak):
  rng = np.random.default_rng(0)
  params = {"dense": {"kernel": jnp.ones(3), "bias": jnp.ones(3)}}
  schedule = schedules.OneCycle(
      warmup_steps=4, b1_at_peak=0 if b1_at_peak == 0.9 else b1_at_peak)
  optimizer, rate = optim.make(options(schedule, learning_rate=0.1), batch_size=1,
                               total_steps=9, params=params)
  state, grads = optimizer.init(params), rng.normal(size=(9, 3))
  for grad in grads:
    tree = jax.tree.map(lambda _, g=grad: jnp.asarray(g, jnp.float32), params)
    updates, state = optimizer.update(tree, state, params)
    params = optax.apply_updates(params, updates)
  b1s = [torch_one_cycle(t, 9, 4, 0.9, b1_at_peak, 0.9) for t in range(9)]
  for name, decay in (("kernel", 0.1), ("bias", 0.0)):
    want = slow_adamw(np.ones(3), grads, rates=[float(rate(t)) for t in range(9)],
                      b1s=b1s, b2=0.999, eps=1e-8, decay=decay)
    np.testing.assert_allclose(params["dense"][name], want, rtol=1e-4)


def test_gradients_are_clipped_by_their_global_norm():
  params = {"a": jnp.zeros(2), "b": jnp.zeros(1)}
  optimizer, _ = optim.make(options(clip_norm=1.0, eps=1.0, no_decay=()), batch_size=1,
                            total_steps=9, params=params)
  big = {"a": jnp.array([300.0, 0.0]), "b": jnp.array([400.0])}
  small = {"a": jnp.array([0.6, 0.0]), "b": jnp.array([0.8])}
  updates = [optimizer.update(g, optimizer.init(params), params)[0]
             for g in (big, small)]
  np.testing.assert_allclose(updates[0]["b"], updates[1]["b"], rtol=1e-5)


def test_a_pattern_without_decay_that_matches_nothing_is_refused():
  params = {"encoder": {"word": jnp.zeros(2), "norm": {"scale": jnp.zeros(2)}}}
  with pytest.raises(errors.UserError, match="'embed'.*scale, word"):
    optim.decay_mask(params, ("norm", "embed"))
  mask = optim.decay_mask(params, ("norm", "word|position"))
  assert not mask["encoder"]["word"] and not mask["encoder"]["norm"]["scale"]


def test_the_peak_rate_may_be_given_for_64_sequences():
  scaled = options(learning_rate=1e-4, learning_rate_scaling="per_64_sequences")
  assert scaled.peak(32) == 5e-5 and options(learning_rate=1e-4).peak(32) == 1e-4
