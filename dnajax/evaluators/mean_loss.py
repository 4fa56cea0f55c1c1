"""Loss over a finite split, each record once."""

import dataclasses

import jax
import jax.numpy as jnp

from dnajax.data import feed, loader
from dnajax.devices import partitioning
from dnajax.evaluators import base
from dnajax.masking import settings
from dnajax.shell import parts


@dataclasses.dataclass(frozen=True)
class MeanLoss(base.Evaluator):
  """The loss a run is trained by, on another split; with fixed draws, so steps compare."""
  split: str              # records whose loss is taken
  batch_size: int = 128   # records per step
  max_records: int = 0    # the first n of the split; 0: all
  # None: as the run masks; else the same for every run: what runs with different maskings
  # are compared by
  masking: settings.Masking | None = None

  needs_task = True
  yields_perplexity = True  # what a curriculum may listen to

  def check(self, setup):
    """Numbers, and whether anything is masked at all."""
    yield from base.at_least(self, batch_size=1, max_records=0)
    objective = setup.objective
    if self.masking is not None and objective is not None and not objective.hides_tokens:
      yield "masking", "absent: the objective of this run hides no tokens"

  @property
  def task(self):
    """Runs stand in one table if they were asked the same."""
    return (f"loss on {self.split}, "
            + ("the run's own task" if self.masking is None else
               f"{self.masking.selection.name} for every run"))

  def build(self, context):
    """A `Runner`."""
    task = context.task
    if self.masking is not None:
      task = task.with_masking(context.bind_masking(self.masking))
    split = context.split(self.split)
    num_records = min(split.num_records, self.max_records or split.num_records)

    def batches():
      return loader.finite_batches(
          split, batch_size=self.batch_size, length=context.length,
          record_ids=list(range(num_records)), labels=task.labels)

    return Runner(task, batches, seed=context.seed, mesh=context.mesh, protocol=(
        f"{_masking(task.masking)}the first {num_records:,} records of split {self.split}, "
        "the same draws at every evaluation"))


def _masking(masking):
  """How is masked; a curriculum is always evaluated in its first stage."""
  if masking is None:
    return ""
  selection, corruption = masking.settings.selection, masking.settings.corruption
  return (f"{selection.name} selection, {selection.rate_name} {selection.rates()[0]:g}, "
          f"{parts.in_words(corruption)}; perplexity and accuracy of the selected tokens; ")


class Runner:
  """Mean loss of the records of a split."""

  def __init__(self, task, batches, *, seed, mesh=None, protocol="mean loss"):
    """task: has eval_sums (params, batch, key) -> dict of sums, and eval_metrics(sums).
    batches: returns a fresh iterator of equally sized batches; rows added to
      fill the last one have batch["is_real"] False.
    seed: of all draws."""
    self._sums, self._metrics = jax.jit(task.eval_sums), task.eval_metrics
    self._batches, self._mesh = batches, mesh
    self._key = jax.random.key(seed)
    self.protocol = protocol

  def run(self, params):
    """Yields what the task reports: loss (nats), perplexity, accuracy, num_tokens."""
    totals = None
    for n, batch in enumerate(self._batches()):
      if self._mesh is not None:
        batch = _spread(batch, self._mesh)
      sums = self._sums(params, batch, jax.random.fold_in(self._key, n))
      totals = sums if totals is None else jax.tree.map(jnp.add, totals, sums)
    yield from self._metrics(jax.tree.map(float, jax.device_get(totals)))


def _spread(batch, mesh):
  """The batch over the mesh if its rows divide, else all of it everywhere."""
  size = len(batch["is_real"])
  sharding = partitioning.batch_sharding(mesh)
  if size % partitioning.num_batch_parts(mesh):
    sharding = partitioning.replicated(mesh)
  return jax.tree.map(lambda rows: feed.spread(rows, sharding), batch)
