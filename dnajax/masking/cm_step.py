"""CM-Step: the hard selection in more and more of the updates."""

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from dnajax.masking import curricula, phases
from dnajax.shell import metric, parts


@dataclasses.dataclass(frozen=True)
class CmStep(curricula.Curriculum):
  """A coin for each update, whose chance of "hard" rises in blocks (CM-Step, ECAI 2024).

  The steps are divided into blocks and the chance is (number of the block) /
  num_blocks, from 0 in the first. The talk has 10 blocks from GeneMask to Global-PMI.

  Differs from the public code. It tosses one coin for every micro-batch, of which 25
  make one update, so that most of its updates mix both selections; here one coin
  decides for the batch of an update. It has 100 blocks of floor(total_steps / 100)
  steps, which fails below 100 steps and exceeds 1 behind the hundredth block; here
  blocks are equal up to rounding. Its easy selection is DNABERT's span.
  """
  num_blocks: int = 10   # in which the chance rises
  hard: Any = parts.one("selection", "global_pmi")  # the selection that it moves to

  def check(self, setup):
    """At least one block."""
    del setup
    if self.num_blocks < 1:
      yield "num_blocks", "at least 1"

  def is_hard(self, step, total_steps, progress, key):
    """Tosses the coin of an update."""
    del progress
    return jax.random.uniform(key) < self.hard_share_at(step, total_steps)

  def hard_share_at(self, step, total_steps) -> Float[Array, ""]:
    """Chance of the hard selection at a step, 0 .. (num_blocks - 1) / num_blocks."""
    boundaries = [math.ceil(j * total_steps / self.num_blocks)
                  for j in range(1, self.num_blocks)]
    return phases.phase_at(step, boundaries).astype(jnp.float32) / self.num_blocks

  def describe(self, easy, total_steps, progress, step):
    """The chance at this step."""
    del progress
    return (f"{self.hard.name} in {float(self.hard_share_at(step, total_steps)):.0%} of "
            f"the updates, else {easy.name}")

  def metrics(self, total_steps, progress, step):
    """The chance at this step."""
    del progress
    return [metric.Metric("curriculum/hard_share",
                          float(self.hard_share_at(step, total_steps)), "share", False)]
