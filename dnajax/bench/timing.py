"""Timing that survives a noisy machine: interleaved rounds, medians."""

import statistics
import time

import jax
import jax.numpy as jnp


def interleaved(calls, *, rounds):
  """Median seconds of each call, the calls taking turns.

  Args:
    calls: name -> function without arguments that returns arrays.
    rounds: number of turns after one warm-up turn.

  Returns:
    name -> seconds.
  """
  seconds = {name: [] for name in calls}
  for turn in range(rounds + 1):
    for name, call in calls.items():
      before = time.perf_counter()
      jax.block_until_ready(call())
      if turn:
        seconds[name].append(time.perf_counter() - before)
  return {name: statistics.median(times) for name, times in seconds.items()}


def matmul(rows, inner, columns, dtype, *, repeats):
  """A call that multiplies [rows, inner] by [inner, columns] `repeats` times.

  Returns:
    (call, floating-point operations per call).
  """
  key_a, key_b = jax.random.split(jax.random.key(0))
  a = jax.random.normal(key_a, (rows, inner), dtype)
  b = jax.random.normal(key_b, (inner, columns), dtype)
  multiply = jax.jit(lambda a, b: jnp.dot(a, b))

  def call():
    return [multiply(a, b) for _ in range(repeats)]

  return call, 2 * rows * inner * columns * repeats
