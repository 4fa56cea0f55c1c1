"""The batches of a run, on its devices."""

from dnajax.data import feed, loader
from dnajax.devices import partitioning


def batches(plan, first_step):
  """Endless iterator of global training batches, from update first_step+1 on."""
  size, sharding = plan.experiment.batch_size, partitioning.batch_sharding(plan.mesh)
  row_ids = feed.local_row_ids(sharding, size)
  rows = loader.TrainBatches(
      plan.split, batch_size=size, length=plan.tokenizer.read_length,
      seed=plan.experiment.seed, labels=plan.task.labels,
      balance=plan.experiment.balance).stream(first_step, row_ids)
  return feed.ahead(feed.to_global(one, sharding, size, row_ids) for one in rows)
