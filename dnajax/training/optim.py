"""Optimizer chains, learning-rate schedules, weight decay by parameter path."""

import re

import jax
import optax

from dnajax import registry


def one_cycle(peak, *, total_steps, warmup_steps, final_fraction):
  """OneCycle with cosine halves: peak/25 up to peak, down to peak·final_fraction.

  BarcodeMAE uses PyTorch's defaults: 30 % of the steps upwards and a final
  rate of peak/25/1e4; configs give both numbers.
  """
  return optax.join_schedules(
      [_cosine_between(peak / 25, peak, warmup_steps),
       _cosine_between(peak, peak * final_fraction, total_steps - warmup_steps)],
      [warmup_steps])


def linear(peak, *, total_steps, warmup_steps, final_fraction):
  """Linear warm-up from 0, then linear decay (BERT, DNABERT)."""
  return optax.join_schedules(
      [optax.linear_schedule(0.0, peak, warmup_steps),
       optax.linear_schedule(peak, peak * final_fraction,
                             max(1, total_steps - warmup_steps))],
      [warmup_steps])


def cosine(peak, *, total_steps, warmup_steps, final_fraction):
  """Linear warm-up from 0, then cosine decay."""
  return optax.join_schedules(
      [optax.linear_schedule(0.0, peak, warmup_steps),
       _cosine_between(peak, peak * final_fraction, total_steps - warmup_steps)],
      [warmup_steps])


def constant(peak, *, total_steps, warmup_steps, final_fraction):
  """Linear warm-up from 0, then the peak rate."""
  del total_steps, final_fraction
  return optax.join_schedules(
      [optax.linear_schedule(0.0, peak, warmup_steps),
       optax.constant_schedule(peak)], [warmup_steps])


def _cosine_between(first, last, num_steps):
  decay = optax.cosine_decay_schedule(1.0, max(1, num_steps))
  return lambda step: last + (first - last) * decay(step)


def make_schedule(optimizer, total_steps, peak):
  """The learning-rate schedule of config.optimizer: step -> rate."""
  return registry.schedule(optimizer.schedule)(
      peak, total_steps=total_steps, warmup_steps=optimizer.warmup_steps,
      final_fraction=optimizer.final_fraction)


def make_optimizer(optimizer, learning_rate, total_steps, params):
  """The optax chain a config describes: clip, then AdamW.

  Args:
    optimizer: config.optimizer. With b1_at_peak other than b1 the first beta
      moves between them against the learning rate, as PyTorch's OneCycleLR
      does.
    learning_rate: schedule, step -> rate.
    total_steps: length of the run.
    params: tree (abstract will do), to find the paths without weight decay.

  Returns:
    optax.GradientTransformation.
  """
  fixed = dict(b2=optimizer.b2, eps=optimizer.eps,
               weight_decay=optimizer.weight_decay,
               mask=decay_mask(params, optimizer.no_decay))
  if optimizer.b1_at_peak == optimizer.b1:
    adamw = optax.adamw(learning_rate, b1=optimizer.b1, **fixed)
  else:
    warmup = optimizer.warmup_steps
    b1 = optax.join_schedules(
        [_cosine_between(optimizer.b1, optimizer.b1_at_peak, warmup),
         _cosine_between(optimizer.b1_at_peak, optimizer.b1,
                         total_steps - warmup)], [warmup])
    adamw = optax.inject_hyperparams(optax.adamw, static_args=tuple(fixed))(
        learning_rate=learning_rate, b1=b1, **fixed)
  if not optimizer.clip_norm:
    return adamw
  return optax.chain(optax.clip_by_global_norm(optimizer.clip_norm), adamw)


def decay_mask(params, patterns):
  """True where weight decay applies: no pattern is found in the path 'a/b/c'."""
  def is_decayed(path, _):
    name = jax.tree_util.keystr(path, simple=True, separator="/")
    return not any(re.search(pattern, name) for pattern in patterns)
  return jax.tree_util.tree_map_with_path(is_decayed, params)
