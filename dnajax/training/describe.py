"""Says what will happen before it happens."""

import math

import jax
from flax import traverse_util

from dnajax.devices import partitioning
from dnajax.training import optim


def summary(plan, origin):
  """Devices, batch arithmetic, epochs, what was found on the data.

  Args:
    plan: config.plan.Plan.
    origin: where the parameters come from.
  """
  experiment, tokenizer, mesh = plan.experiment, plan.tokenizer, plan.mesh
  batch_size, total_steps = experiment.batch_size, experiment.total_steps
  groups = partitioning.num_batch_parts(mesh)
  num_records = plan.split.num_records
  slots = plan.task.masking and (
      f"; encoder slots {plan.task.masking.num_kept}, scored slots "
      f"{plan.task.masking.num_scored}") or ""
  losses = " + ".join(
      f"{loss.weight:g} × {name}" + (f" (from 0 in {loss.ramp_steps:,} steps)"
                                     if loss.ramp_steps else "")
      for name, loss in experiment.losses.items())
  return "\n".join([
      f"devices     {mesh.devices.size} × {mesh.devices.flat[0].device_kind} "
      f"({jax.process_count()} process(es)), mesh "
      + ", ".join(f"{axis} {size}" for axis, size in mesh.shape.items()),
      f"batch       {batch_size} sequences = {groups} device groups × "
      f"{experiment.accumulate_steps} accumulation steps × "
      f"{batch_size // (groups * experiment.accumulate_steps)} rows",
      f"sequence    {tokenizer.length} bp -> {tokenizer.num_tokens} tokens of "
      f"{tokenizer.vocabulary.k} bp{slots}",
      f"data        {experiment.data.name}/{experiment.split}, {num_records:,} "
      f"records; {total_steps:,} steps = {total_steps * batch_size / num_records:.2f} "
      f"epochs = {total_steps * batch_size * tokenizer.num_tokens:,} tokens",
      f"learning    {losses}; peak rate {experiment.optimizer.peak(batch_size):.3g}, "
      f"weight decay {experiment.optimizer.weight_decay:g}",
      f"parameters  {origin}", *plan.found])


def parameter_table(params, shardings, optimizer):
  """One line per parameter: path, shape, dtype, spec, weight decay, MiB per device.

  Args:
    params: abstract tree.
    shardings: tree of NamedSharding.
    optimizer: optim.Optimizer.
  """
  shapes = traverse_util.flatten_dict(params, sep="/")
  specs = traverse_util.flatten_dict(shardings, sep="/")
  decays = traverse_util.flatten_dict(optim.decay_mask(params, optimizer.no_decay), sep="/")
  rows, total, local = [], 0, 0.0
  for path, x in shapes.items():
    mib = (math.prod(specs[path].shard_shape(x.shape)) * x.dtype.itemsize
           / 2**20)
    decay = f"decay {optimizer.weight_decay:g}" if decays[path] else "no decay"
    rows.append(f"{path:<44} {x.shape!s:<18} {x.dtype.name:<9} "
                f"{specs[path].spec!s:<34} {decay:<12} {mib:8.3f}")
    total, local = total + math.prod(x.shape), local + mib
  rows.append(f"{total:,} parameters, {local:,.1f} MiB on each device")
  return "\n".join(rows)


def compiled_memory(compiled):
  """Memory of a compiled step on each device, one line."""
  memory = compiled.memory_analysis()
  if memory is None:
    return "memory      not known on this backend"
  gib = 1 / 2**30
  return (f"memory      {memory.argument_size_in_bytes * gib:.2f} GiB arguments, "
          f"{memory.temp_size_in_bytes * gib:.2f} GiB temporary, "
          f"{memory.output_size_in_bytes * gib:.2f} GiB results on each device")
