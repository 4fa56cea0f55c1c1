"""What the masking does at a step: curricula, phases and rates, never recompiled.

A `Stage` is a handful of traced scalars, a pure function of the step, the key
of the step and the `Progress` in the train state.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from dnajax.masking import random_window

CURRICULA = ("none", "cm_step", "cm_gems")
CHANGES = ("drop", "absolute")
_HISTORY = 512  # evaluations kept in a checkpoint; metrics.jsonl has them all


@struct.dataclass
class Stage:
  """What the masking does in one update."""
  is_hard: jax.Array      # bool, the hard selection instead of the easy one
  phase: jax.Array        # int32, of `random_window`
  rate_factor: jax.Array  # float32, times the probability


@struct.dataclass
class Progress:
  """State of `cm_gems`, part of the train state."""
  switch_step: jax.Array      # int32, updates done at the switch; -1 before it
  smallest_change: jax.Array  # float32, so far; inf before the second evaluation
  num_evaluations: jax.Array  # int32
  steps: jax.Array            # [H] int32, the last H evaluations, newest last; -1
  perplexities: jax.Array     # [H] float32                    where there is none


def start(masking):
  """Progress before the first update; None for curricula without a state."""
  if masking.curriculum.name != "cm_gems":
    return None
  return Progress(
      switch_step=jnp.int32(-1), smallest_change=jnp.float32(jnp.inf),
      num_evaluations=jnp.int32(0), steps=jnp.full(_HISTORY, -1, jnp.int32),
      perplexities=jnp.full(_HISTORY, jnp.nan, jnp.float32))


def first_stage():
  """The stage of an evaluation, whatever the step: easy, first phase, plain rate.

  Perplexities of different steps are comparable only under one masking.
  """
  return Stage(is_hard=jnp.bool_(False), phase=jnp.int32(0),
               rate_factor=jnp.float32(1))


def stage_at(masking, total_steps, progress, step, key):
  """The stage of an update.

  Args:
    masking: config.masking, completed.
    total_steps: of the run; decides the blocks of `cm_step`.
    progress: Progress or None.
    step: int32 scalar, updates already made.
    key: PRNG key, consumed.

  Returns:
    Stage.
  """
  name = masking.curriculum.name
  if name == "cm_step":
    is_hard = jax.random.uniform(key) < hard_share_at(
        step, total_steps, masking.curriculum.num_blocks)
  else:
    is_hard = progress.switch_step >= 0 if name == "cm_gems" else jnp.bool_(False)
  return Stage(
      is_hard=is_hard, phase=random_window.phase_at(step, masking.phases.boundaries),
      rate_factor=jnp.asarray((1.0, *masking.rate.factors), jnp.float32)[
          random_window.phase_at(step, masking.rate.boundaries)])


def hard_share_at(step, total_steps, num_blocks):
  """Chance of the hard selection in an update of `cm_step` (CM-Step, ECAI 2024).

  The steps are divided into blocks and the chance is (number of the block) /
  num_blocks, from 0 in the first: one coin for the whole batch. The public code
  has 100 blocks of floor(total_steps / 100) steps, which fails below 100 steps
  and exceeds 1 behind the hundredth block; here blocks are equal up to rounding.

  Args:
    step: int32 scalar, updates already made; may be traced.
    total_steps: static.
    num_blocks: static.

  Returns:
    float32 scalar, 0 .. (num_blocks - 1) / num_blocks.
  """
  boundaries = [math.ceil(j * total_steps / num_blocks) for j in range(1, num_blocks)]
  return random_window.phase_at(step, boundaries).astype(jnp.float32) / num_blocks


def num_sizes(masking, phase):
  """How many window sizes a phase of `random_window` uses, int32 scalar."""
  return random_window.num_sizes_at(
      phase, range(1, len(masking.phases.counts)), masking.phases.counts)


def observe(curriculum, progress, step, perplexity):
  """Takes note of a validation perplexity and decides the switch (CM-GEMS).

  The switch to the hard selection comes when perplexity between consecutive
  evaluations has changed by less than curriculum.threshold, and is final. What
  counts as change: "drop" is previous - current where that is not negative (the
  paper's perplexity drop); "absolute" also counts a rise, as the public code
  does. With curriculum.relative it is divided by the previous perplexity. A
  perplexity that is no number is noted and decides nothing.

  Args:
    curriculum: config.masking.curriculum.
    progress: Progress, host or device arrays.
    step: updates done.
    perplexity: of the selected tokens under `first_stage`.

  Returns:
    Progress of NumPy arrays.
  """
  progress = jax.tree.map(np.asarray, progress)
  previous = float(progress.perplexities[-1])
  change = previous - perplexity
  if curriculum.change == "absolute":
    change = abs(change)
  if curriculum.relative:
    change /= previous
  smallest = float(progress.smallest_change)
  if change >= 0:  # False also if one is no number
    smallest = min(smallest, change)
  switch_step = int(progress.switch_step)
  if switch_step < 0 and smallest < curriculum.threshold:
    switch_step = step
  return Progress(
      switch_step=np.int32(switch_step), smallest_change=np.float32(smallest),
      num_evaluations=np.int32(progress.num_evaluations + 1),
      steps=np.append(progress.steps[1:], np.int32(step)),
      perplexities=np.append(progress.perplexities[1:], np.float32(perplexity)))


def describe(masking, total_steps, progress, step):
  """One line on what the masking does from a step on; "" if it never changes."""
  parts, curriculum = [], masking.curriculum
  if curriculum.name == "cm_step":
    share = float(hard_share_at(step, total_steps, curriculum.num_blocks))
    parts.append(f"{curriculum.hard} in {share:.0%} of the updates, "
                 f"else {masking.selection}")
  if curriculum.name == "cm_gems":
    switch_step = int(progress.switch_step)
    parts.append(f"{masking.selection}" if switch_step < 0 else
                 f"{curriculum.hard}, switched at step {switch_step}")
  if masking.phases.boundaries:
    phase = int(random_window.phase_at(step, masking.phases.boundaries))
    sizes = masking.window_sizes[:masking.phases.counts[phase]]
    parts.append(f"phase {phase + 1} of {len(masking.phases.counts)}, windows of "
                 f"{', '.join(map(str, sizes))} tokens")
  if masking.rate.boundaries:
    factor = _at((1.0, *masking.rate.factors), step, masking.rate.boundaries)
    parts.append(f"{factor:g} × the first rate")
  return "; ".join(parts)


def metrics(masking, total_steps, progress, step):
  """Values of `describe` for metrics.jsonl, dict of floats."""
  values, curriculum = {}, masking.curriculum
  if curriculum.name == "cm_step":
    values["curriculum/hard_share"] = float(
        hard_share_at(step, total_steps, curriculum.num_blocks))
  if curriculum.name == "cm_gems":
    values["curriculum/hard_share"] = float(int(progress.switch_step) >= 0)
    values["curriculum/switch_step"] = float(progress.switch_step)
    if np.isfinite(progress.smallest_change):
      values["curriculum/smallest_change"] = float(progress.smallest_change)
  if masking.phases.boundaries:
    values["curriculum/phase"] = float(random_window.phase_at(step, masking.phases.boundaries) + 1)
  if masking.rate.boundaries:
    values["curriculum/rate_factor"] = _at(
        (1.0, *masking.rate.factors), step, masking.rate.boundaries)
  return values


def _at(values, step, boundaries):
  """The value of the stretch of steps that a step lies in; of one more than boundaries."""
  return values[int(random_window.phase_at(step, boundaries))]
