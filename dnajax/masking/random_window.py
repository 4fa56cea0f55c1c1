"""RandomMask's selection: windows around random centres that grow by phases."""

import functools

import jax
import jax.numpy as jnp

from dnajax.masking import kmer_span

DRAWS = ("per_row", "per_batch")


def random_window(key, tokens, is_maskable, *, probability, sizes,
                  num_sizes=None, draw="per_row"):
  """Windows of m tokens around random centres (RandomMask, Algorithm 1).

  Every maskable position i is a centre with the same chance, independently,
  and selects positions i - m/2 + 1 .. i + m/2. With m = 6 this is `kmer_span`
  at k = 6. Windows may overlap: the scan does not jump past a window after a
  hit, which the paper leaves open. How m is drawn was never published either
  (nor p, the sizes or the phases): here uniformly from the first `num_sizes`
  of `sizes`, once for each row or once for the batch.

  Args:
    key: PRNG key, consumed.
    tokens: [B, L] int32. Unused; every selection has the same signature.
    is_maskable: [B, L] bool; False at special tokens, padding and [UNK].
    probability: chance that a maskable position is a centre; may be traced.
    sizes: static tuple of window widths m in tokens, all even.
    num_sizes: how many of `sizes` are in use, 1..len(sizes). A traced int32
      scalar (see `num_sizes_at`), so that a new phase compiles nothing, or
      None for all.
    draw: "per_row" or "per_batch", what shares one m.

  Returns:
    is_selected, [B, L] bool, a subset of `is_maskable`.
  """
  if not sizes or any(size < 2 or size % 2 for size in sizes):
    raise ValueError(f"sizes={sizes!r} must be even numbers from 2 on.")
  if draw not in DRAWS:
    raise ValueError(f"Unknown draw {draw!r}. Known: {', '.join(DRAWS)}.")
  centre_key, size_key = jax.random.split(key)
  is_centre = (jax.random.bernoulli(centre_key, probability, tokens.shape)
               & is_maskable)
  num_sizes = len(sizes) if num_sizes is None else num_sizes
  shape = (tokens.shape[0], 1) if draw == "per_row" else (1, 1)
  size_ids = jax.random.randint(size_key, shape, 0, num_sizes)
  half = jnp.asarray(sizes, jnp.int32)[size_ids] // 2              # [B or 1, 1]
  reach = max(sizes) // 2
  offsets = range(1 - reach, reach + 1)
  parts = (
      is_at & (1 - half <= offset) & (offset <= half)
      for offset, is_at in zip(
          offsets, kmer_span.shifts(is_centre, offsets, False), strict=True))
  return functools.reduce(jnp.logical_or, parts) & is_maskable


def num_sizes_at(step, boundaries, counts):
  """How many window sizes are in use at a step: the phase of the step.

  Args:
    step: int32 scalar, number of updates already made; may be traced.
    boundaries: static tuple of P - 1 increasing steps; phase j + 1 starts with
      update boundaries[j] (counted from 0).
    counts: static tuple, `num_sizes` of each of the P phases.

  Returns:
    int32 scalar.
  """
  if len(counts) != len(boundaries) + 1:
    raise ValueError(f"{len(counts)} counts do not fit {len(boundaries)} "
                     "boundaries: there is one phase more than boundaries.")
  if list(boundaries) != sorted(set(boundaries)):
    raise ValueError(f"boundaries={boundaries!r} must increase.")
  return jnp.asarray(counts, jnp.int32)[phase_at(step, boundaries)]


def phase_at(step, boundaries):
  """How many boundaries a step has reached, int32 scalar; both as above."""
  return (jnp.asarray(step) >= jnp.asarray(tuple(boundaries), jnp.int32)).sum(
      dtype=jnp.int32)
