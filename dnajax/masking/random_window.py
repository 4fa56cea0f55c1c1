"""RandomMask's selection: windows around random centres that grow by phases."""

import dataclasses
import functools
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from dnajax.masking import neighbours, phases, selection
from dnajax.shell import metric, parts


@dataclasses.dataclass(frozen=True)
class RandomWindow(selection.Selection):
  """Windows of m tokens around random centres (RandomMask, Algorithm 1).

  Every maskable position i is a centre with the same chance, independently,
  and selects positions i - m/2 + 1 .. i + m/2. With m = 6 this is `KmerSpan`
  at k = 6. Windows may overlap: the scan does not jump past a window after a
  hit, which the paper leaves open. How m is drawn was never published either
  (nor p, the sizes or the phases): here uniformly from the first counts[j] of
  `sizes` in phase j, once for each row or once for the batch.
  """
  ratio: float = 0.15              # share of the maskable tokens to select
  probability: float = 0.0         # of a centre; 0: found for the ratio, for each phase
  sizes: tuple[int, ...] = (6,)    # of a window in tokens, even numbers
  draw: Literal["per_row", "per_batch"] = "per_row"  # what shares one size
  boundaries: tuple[int, ...] = ()  # updates with which the second, third… phase begins
  counts: tuple[int, ...] = ()      # how many of the sizes a phase uses; (): all
  probabilities: tuple[float, ...] = ()  # of a centre in each phase; (): probability

  def check(self, setup):
    """Beside the chances: sizes are even, and lists have one number for each phase."""
    yield from super().check(setup)
    num_phases = len(self.boundaries) + 1
    if not self.sizes or any(size < 2 or size % 2 for size in self.sizes):
      yield "sizes", "even numbers from 2 on"
    if not parts.increases(self.boundaries):
      yield "boundaries", "increasing numbers of updates"
    if len(self.counts) != num_phases and (self.counts or self.boundaries):
      yield "counts", f"{num_phases} numbers, one more than there are boundaries"
    if any(not 1 <= count <= len(self.sizes) for count in self.counts):
      yield "counts", f"numbers from 1 to {len(self.sizes)}, how many of the sizes are used"
    if len(self.probabilities) not in (0, num_phases):
      yield "probabilities", f"empty or {num_phases} numbers, one for each phase"
    if any(not 0 <= chance <= 1 for chance in self.probabilities):
      yield "probabilities", "between 0 and 1 (0: found for the ratio)"

  def rates(self):
    """One chance for each phase."""
    return self.probabilities or (self.probability,) * len(self.first_steps())

  def with_rates(self, rates):
    """The selection with these chances."""
    if len(rates) == 1 and not self.probabilities:
      return dataclasses.replace(self, probability=rates[0])
    return dataclasses.replace(self, probabilities=tuple(rates))

  def first_steps(self):
    """The phases begin at 0 and at each boundary."""
    return (0, *self.boundaries)

  def describe(self, step):
    """The phase and its windows."""
    if not self.boundaries:
      return ""
    phase = int(phases.phase_at(step, self.boundaries))
    sizes = self.sizes[:self.counts[phase]]
    return (f"phase {phase + 1} of {len(self.counts)}, windows of "
            f"{', '.join(map(str, sizes))} tokens")

  def metrics(self, step):
    """The number of the phase, from 1 on."""
    if not self.boundaries:
      return []
    phase = int(phases.phase_at(step, self.boundaries)) + 1
    return [metric.Metric("curriculum/phase", phase, "count", False)]

  def __call__(self, key: Key[Array, ""], tokens: Int[Array, "B L"],
               is_maskable: Bool[Array, "B L"], *, ranks=None, rate: Float[Array, ""],
               step: Int[Array, ""]) -> Bool[Array, "B L"]:
    """See `selection.Selection`; the step decides the phase. Ranks are unused."""
    del ranks
    centre_key, size_key = jax.random.split(key)
    is_centre = (jax.random.bernoulli(centre_key, rate, tokens.shape)
                 & is_maskable)
    shape = (tokens.shape[0], 1) if self.draw == "per_row" else (1, 1)
    size_ids = jax.random.randint(size_key, shape, 0, self._num_sizes(step))
    half = jnp.asarray(self.sizes, jnp.int32)[size_ids] // 2       # [B or 1, 1]
    reach = max(self.sizes) // 2
    offsets = range(1 - reach, reach + 1)
    windows = (
        is_at & (1 - half <= offset) & (offset <= half)
        for offset, is_at in zip(
            offsets, neighbours.shifts(is_centre, offsets, False), strict=True))
    return functools.reduce(jnp.logical_or, windows) & is_maskable

  def _num_sizes(self, step):
    """How many of the sizes are in use at a step; int32 scalar, traced if the step is."""
    counts = jnp.asarray(self.counts or (len(self.sizes),), jnp.int32)
    return counts[phases.phase_at(step, self.boundaries)]
