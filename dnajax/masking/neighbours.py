"""Positions beside a position, for all of them at once."""

import functools

import jax.numpy as jnp
from jaxtyping import Array, Bool, Shaped


def dilate(is_set: Bool[Array, "B L"], offsets) -> Bool[Array, "B L"]:
  """True at i + o for every True at i and every o in `offsets`.

  Args:
    is_set: where to start from.
    offsets: static tuple of ints. What falls off either end is lost.

  Returns:
    All False without offsets.
  """
  return functools.reduce(
      jnp.logical_or, shifts(is_set, offsets, False), jnp.zeros_like(is_set))


def shifts(array: Shaped[Array, "B L"], offsets, fill) -> list[Shaped[Array, "B L"]]:
  """Copies of an array: in the copy of offset o, what was at i is at i + o.

  All are slices of one padded array: XLA on a CPU then computes `array` once,
  where a pad for each offset makes it compute it again for each.

  Args:
    array: any type.
    offsets: static tuple of ints of any size and sign.
    fill: value of the positions that nothing moved to.

  Returns:
    One for each of `offsets`, in their order.
  """
  length = array.shape[1]
  reach = max(map(abs, offsets), default=0)
  padded = jnp.pad(array, ((0, 0), (reach, reach)), constant_values=fill)
  return [padded[:, reach - offset:reach - offset + length]
          for offset in offsets]
