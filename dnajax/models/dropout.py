"""Dropout whose random bits cost less than the layer they protect.

A keep decision needs no cryptographic generator. `jax.random.bernoulli` runs
20 rounds of Threefry for every element: measured on a CPU, 4 ns against 0.3 ns
for the GELU next to it, which makes it a third of the matrix products' time in
a model of width 192. Here the key goes through `jax.random` once per call, and
each element gets a hash of (key, its index): the same numbers on every mesh,
because an index does not depend on how the array is cut up.
"""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp


class Dropout(nn.Module):
  """Sets a share `rate` of the elements to zero and scales up the rest."""
  rate: float

  def __call__(self, x, *, deterministic):
    """Any shape -> same shape and dtype; identity if `deterministic`."""
    if deterministic or not self.rate:
      return x
    return drop(self.make_rng("dropout"), x, rate=self.rate)


def drop(key, x, *, rate):
  """Sets a share `rate` of x to zero and scales up the rest; no-op without key.

  The coins are hashed again in the backward pass instead of being stored.
  """
  if key is None:
    return x

  def apply(key, x):
    is_kept = keep_mask(key, x.shape, rate=rate)
    return jnp.where(is_kept, x * (1 / (1 - rate)), 0).astype(x.dtype)

  return jax.checkpoint(apply, prevent_cse=False)(key, x)


def keep_mask(key, shape, *, rate):
  """Independent coins, True with probability 1 - rate.

  Args:
    key: PRNG key, consumed.
    shape: static shape of at most 2**32 elements (beyond that coins repeat).
    rate: share of False, known to 2**-32.

  Returns:
    `shape` bool.
  """
  low, high = jax.random.bits(key, (2,), "uint32")
  bits = _mix(_mix(_indices(shape) ^ low) ^ high)
  return bits >= jnp.uint32(min(round(rate * 2**32), 2**32 - 1))


def _indices(shape):
  """Row-major index of every element, uint32."""
  index = jnp.zeros(shape, jnp.uint32)
  for axis in range(len(shape)):
    stride = jnp.uint32(math.prod(shape[axis + 1:]) % 2**32)
    index += stride * jax.lax.broadcasted_iota(jnp.uint32, shape, axis)
  return index


def _mix(bits):
  """Bijection of uint32 in which every input bit flips half the output bits.

  The three shifts and two odd constants are those of the public-domain
  MurmurHash3 finaliser.
  """
  bits = (bits ^ (bits >> 16)) * jnp.uint32(0x85EBCA6B)
  bits = (bits ^ (bits >> 13)) * jnp.uint32(0xC2B2AE35)
  return bits ^ (bits >> 16)
