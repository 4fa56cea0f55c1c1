"""Stretches of a run: which one a step lies in, without a compilation for each."""

import jax.numpy as jnp
from jaxtyping import Array, Int


def phase_at(step, boundaries) -> Int[Array, ""]:
  """How many boundaries a step has reached.

  Args:
    step: int or int32 scalar, updates already made; may be traced.
    boundaries: static tuple of increasing steps; phase j + 1 starts with update
      boundaries[j], counted from 0.

  Returns:
    int32, 0 .. len(boundaries).
  """
  return (jnp.asarray(step) >= jnp.asarray(tuple(boundaries), jnp.int32)).sum(
      dtype=jnp.int32)
