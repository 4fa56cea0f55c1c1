"""Says what will happen before it happens."""

import math

import jax
from flax import traverse_util

from dnajax import partitioning


def run_summary(config, derived, mesh, num_records, start):
  """Devices, batch arithmetic, epochs and where the parameters come from."""
  devices = mesh.devices.size
  steps_per_epoch = num_records / config.batch_size
  parts = partitioning.num_batch_parts(mesh)
  kind = mesh.devices.flat[0].device_kind
  slots = "" if derived.masking is None else (
      "; encoder slots "
      f"{derived.num_kept if derived.masking.corruption == 'drop' else derived.num_tokens}"
      f", scored slots {derived.num_scored}")
  return "\n".join([
      f"devices     {devices} × {kind} ({jax.process_count()} process(es)), mesh "
      + ", ".join(f"{axis} {size}" for axis, size in mesh.shape.items()),
      f"batch       {config.batch_size} sequences = {parts} device groups × "
      f"{config.accumulate_steps} accumulation steps × "
      f"{config.batch_size // (parts * config.accumulate_steps)} rows",
      f"sequence    {config.data.max_length} bp -> {derived.num_tokens} tokens of "
      f"{derived.vocabulary.k} bp{slots}",
      f"data        {config.data.name}/{config.data.split}, {num_records:,} "
      f"records; {config.total_steps:,} steps = "
      f"{config.total_steps / steps_per_epoch:.2f} epochs = "
      f"{config.total_steps * config.batch_size * derived.num_tokens:,} tokens",
      f"learning    peak rate {derived.peak_learning_rate:.3g}, schedule "
      f"{config.optimizer.schedule}, weight decay {config.optimizer.weight_decay:g}",
      f"parameters  {start}"])


def parameter_table(params, shardings):
  """One line per parameter: path, shape, dtype, spec, MiB per device."""
  shapes = traverse_util.flatten_dict(params, sep="/")
  specs = traverse_util.flatten_dict(shardings, sep="/")
  rows, total, local = [], 0, 0.0
  for path, x in shapes.items():
    mib = (math.prod(specs[path].shard_shape(x.shape)) * x.dtype.itemsize
           / 2**20)
    rows.append(f"{path:<44} {x.shape!s:<18} {x.dtype.name:<9} "
                f"{specs[path].spec!s:<34} {mib:8.3f}")
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
