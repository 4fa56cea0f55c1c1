import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dnajax.training import optim


def test_one_cycle_is_pytorchs():
  """Values of torch.optim.lr_scheduler.OneCycleLR(max_lr=1, total_steps=100).

  PyTorch's peak is at step .3·100 - 1 and its end at step 99; ours at 30 and 100.
  """
  rate = optim.one_cycle(1.0, total_steps=100, warmup_steps=30,
                         final_fraction=1 / 25 / 1e4)

  def between(a, b, share):
    return b + (a - b) / 2 * (1 + np.cos(np.pi * share))

  for step in range(101):
    want = (between(1 / 25, 1, step / 30) if step < 30
            else between(1, 1 / 25 / 1e4, (step - 30) / 70))
    np.testing.assert_allclose(rate(step), want, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("name", ["linear", "cosine", "constant"])
def test_warmup_starts_at_zero_reaches_the_peak_and_decays_to_the_end(name):
  rate = getattr(optim, name)(2.0, total_steps=50, warmup_steps=10,
                              final_fraction=0.1)
  assert rate(0) == 0 and np.isclose(rate(5), 1) and np.isclose(rate(10), 2)
  assert np.isclose(rate(50), 2.0 if name == "constant" else 0.2)


def options(**changes):
  return optim_config(**{**dict(b1=0.9, b1_at_peak=0.9, b2=0.999, eps=1e-8,
                                weight_decay=0.1, no_decay=("bias",), clip_norm=0.0,
                                warmup_steps=3), **changes})


def optim_config(**values):
  import ml_collections
  return ml_collections.ConfigDict(values)


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
  rate = optim.cosine(0.1, total_steps=9, warmup_steps=3, final_fraction=0.0)
  optimizer = optim.make_optimizer(options(b1_at_peak=b1_at_peak), rate, 9, params)
  state, grads = optimizer.init(params), rng.normal(size=(9, 3))
  for grad in grads:
    tree = jax.tree.map(lambda _, g=grad: jnp.asarray(g, jnp.float32), params)
    updates, state = optimizer.update(tree, state, params)
    params = optax.apply_updates(params, updates)
  b1s = [b1_at_peak + (0.9 - b1_at_peak) / 2 * (
      1 + (np.cos(np.pi * t / 3) if t < 3 else -np.cos(np.pi * (t - 3) / 6)))
      for t in range(9)]
  for name, decay in (("kernel", 0.1), ("bias", 0.0)):
    want = slow_adamw(np.ones(3), grads, rates=[float(rate(t)) for t in range(9)],
                      b1s=b1s, b2=0.999, eps=1e-8, decay=decay)
    np.testing.assert_allclose(params["dense"][name], want, rtol=1e-4)


def test_gradients_are_clipped_by_their_global_norm():
  params = {"a": jnp.zeros(2), "b": jnp.zeros(1)}
  optimizer = optim.make_optimizer(options(clip_norm=1.0, eps=1.0), lambda _: 1.0,
                                   9, params)
  big = {"a": jnp.array([300.0, 0.0]), "b": jnp.array([400.0])}
  small = {"a": jnp.array([0.6, 0.0]), "b": jnp.array([0.8])}
  updates = [optimizer.update(g, optimizer.init(params), params)[0]
             for g in (big, small)]
  np.testing.assert_allclose(updates[0]["b"], updates[1]["b"], rtol=1e-5)
