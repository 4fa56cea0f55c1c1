"""The optimizer: clipping, AdamW, weight decay by parameter path."""

import dataclasses
import re
from typing import Any, Literal

import jax
import optax

from dnajax.shell import errors, parts


@dataclasses.dataclass(frozen=True)
class Optimizer:
  """config.optimizer."""
  schedule: Any = parts.one("schedule", "cosine")
  learning_rate: float = 1e-3   # at the peak
  learning_rate_scaling: Literal["absolute", "per_64_sequences"] = "absolute"
  b1: float = 0.9
  b2: float = 0.999
  eps: float = 1e-8
  weight_decay: float = 0.01
  no_decay: tuple[str, ...] = ("bias", "norm")  # parts of parameter paths without decay
  clip_norm: float = 0.0        # of all gradients together; 0: no clipping

  def check(self, setup):
    """Numbers that make no optimizer."""
    del setup
    if self.learning_rate <= 0:
      yield "learning_rate", "above 0"
    for key in ("b1", "b2"):
      if not 0 <= getattr(self, key) < 1:
        yield key, "at least 0 and below 1"
    if self.eps <= 0:
      yield "eps", "above 0"
    for key in ("weight_decay", "clip_norm"):
      if getattr(self, key) < 0:
        yield key, "at least 0"

  def peak(self, batch_size):
    """The peak rate; BarcodeMAE gives it for 64 sequences a batch (papers 1.3)."""
    scale = batch_size / 64 if self.learning_rate_scaling == "per_64_sequences" else 1
    return self.learning_rate * scale


def make(settings, *, batch_size, total_steps, params):
  """The optax chain of config.optimizer: clip, then AdamW.

  Args:
    settings: Optimizer.
    batch_size: sequences per update.
    total_steps: updates of the run.
    params: tree (abstract will do), to find the paths without weight decay.

  Returns:
    (optax.GradientTransformation, step -> learning rate).

  Raises:
    UserError: a pattern of no_decay is found in no path.
  """
  rate = settings.schedule.rate(settings.peak(batch_size), total_steps)
  beta = settings.schedule.first_beta(settings.b1, total_steps)
  fixed = dict(b2=settings.b2, eps=settings.eps, weight_decay=settings.weight_decay,
               mask=decay_mask(params, settings.no_decay))
  if callable(beta):
    adamw = optax.inject_hyperparams(optax.adamw, static_args=tuple(fixed))(
        learning_rate=rate, b1=beta, **fixed)
  else:
    adamw = optax.adamw(rate, b1=beta, **fixed)
  if settings.clip_norm:
    adamw = optax.chain(optax.clip_by_global_norm(settings.clip_norm), adamw)
  return adamw, rate


def decay_mask(params, patterns):
  """True where weight decay applies: no pattern is found in the path 'a/b/c'.

  Args:
    params: tree.
    patterns: regular expressions.

  Raises:
    UserError: a pattern is found nowhere, so it is not what was meant.
  """
  names = [_name(path) for path, _ in jax.tree_util.tree_leaves_with_path(params)]
  for pattern in patterns:
    if not any(re.search(pattern, name) for name in names):
      raise errors.UserError(
          f"config.optimizer.no_decay: {pattern!r} is in no parameter's path. --dry_run "
          f"lists them; the last parts are {', '.join(sorted({n.split('/')[-1] for n in names}))}.")
  return jax.tree_util.tree_map_with_path(
      lambda path, _: not any(re.search(pattern, _name(path)) for pattern in patterns), params)


def _name(path):
  return jax.tree_util.keystr(path, simple=True, separator="/")
