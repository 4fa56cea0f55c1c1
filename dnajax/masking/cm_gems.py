"""CM-GEMS: the hard selection once the easy one is learnt."""

import dataclasses
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from dnajax.masking import curricula, types
from dnajax.shell import metric, parts

_HISTORY = 512  # evaluations kept in a checkpoint; metrics.jsonl has them all


@dataclasses.dataclass(frozen=True)
class CmGems(curricula.Curriculum):
  """Switches when validation perplexity has settled (CM-GEMS, ECAI 2024).

  The switch to the hard selection comes when perplexity between consecutive
  evaluations has changed by less than `threshold`, and is final. What counts as change:
  "drop" is previous - current where that is not negative (the paper's perplexity drop);
  "absolute" also counts a rise, as the public code does. With `relative` it is divided
  by the previous perplexity. A perplexity that is no number is noted and decides nothing.

  Differs from the public code: perplexities are all of the easy selection, before and
  behind the switch, and those of an earlier run in the same folder do not count.
  """
  evaluator: str = "masked_loss"  # entry of config.evals whose perplexity decides
  threshold: float = 1.0     # the smallest change that is still learning
  change: Literal["drop", "absolute"] = "drop"  # whether a rise is a change, too
  relative: bool = False     # changes are shares of the perplexity before
  hard: Any = parts.one("selection", "global_pmi")  # the selection that it switches to

  def check(self, setup):
    """The evaluator exists, tells a perplexity, and runs while training goes on."""
    if self.threshold <= 0:
      yield "threshold", "above 0"
    entry = (setup.evals or {}).get(self.evaluator)
    if not getattr(entry, "yields_perplexity", False) or entry.every_steps < 1:
      yield "evaluator", ("the name of an entry of config.evals with name='mean_loss' and "
                          "every_steps of at least 1")

  def start(self):
    """No evaluation yet."""
    return types.Progress(
        switch_step=jnp.int32(-1), smallest_change=jnp.float32(jnp.inf),
        num_evaluations=jnp.int32(0), steps=jnp.full(_HISTORY, -1, jnp.int32),
        perplexities=jnp.full(_HISTORY, jnp.nan, jnp.float32))

  def is_hard(self, step, total_steps, progress, key):
    """Whether the switch has come."""
    del step, total_steps, key
    return progress.switch_step >= 0

  def observe(self, progress, step, perplexity):
    """Takes note of a perplexity and decides the switch; see `curricula.Curriculum`."""
    progress = jax.tree.map(np.asarray, progress)
    previous = float(progress.perplexities[-1])
    change = previous - perplexity
    if self.change == "absolute":
      change = abs(change)
    if self.relative:
      change /= previous
    smallest = float(progress.smallest_change)
    if change >= 0:  # False also if one is no number
      smallest = min(smallest, change)
    switch_step = int(progress.switch_step)
    if switch_step < 0 and smallest < self.threshold:
      switch_step = step
    return types.Progress(
        switch_step=np.int32(switch_step), smallest_change=np.float32(smallest),
        num_evaluations=np.int32(progress.num_evaluations + 1),
        steps=np.append(progress.steps[1:], np.int32(step)),
        perplexities=np.append(progress.perplexities[1:], np.float32(perplexity)))

  def describe(self, easy, total_steps, progress, step):
    """Which selection it is, and since when."""
    del total_steps, step
    switch_step = int(progress.switch_step)
    if switch_step < 0:
      return easy.name
    return f"{self.hard.name}, switched at step {switch_step}"

  def metrics(self, total_steps, progress, step):
    """The share of the hard selection, the step of the switch, the smallest change."""
    del total_steps, step
    switch_step = int(progress.switch_step)
    out = [metric.Metric("curriculum/hard_share", float(switch_step >= 0), "share", False),
           metric.Metric("curriculum/switch_step", float(switch_step), "count", False)]
    if np.isfinite(progress.smallest_change):
      out.append(metric.Metric("curriculum/smallest_change",
                               float(progress.smallest_change), "", False))
    return out
