"""What an update costs on a mesh, from the program that XLA compiles for it."""

import dataclasses
import math

import jax

from dnajax.config import experiment as experiment_lib
from dnajax.config import plan as plan_lib
from dnajax.data import random_split
from dnajax.devices import collectives, hardware, program, simulation
from dnajax.shell import errors

# The program is only read: the compiler need not make it fast.
_COMPILER = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
_MIB, _GIB = 2**20, 2**30


@dataclasses.dataclass(frozen=True)
class Cost:
  """Of one update, on one device."""
  mesh: dict               # {axis: devices}
  num_parameters: int      # of the model, on all devices together
  collectives: list        # collectives.Collective
  rematerialised: list     # messages of the partitioner
  flops: float             # of matrix products, what is computed again included
  model_flops: float       # of matrix products, by arithmetic, divided by the devices
  memory_bytes: float      # read and written, at most
  state_bytes: float       # parameters, optimizer, batch
  temporary_bytes: float   # everything else at its peak

  @property
  def sent_bytes(self):
    """To other devices."""
    return sum(one.sent_bytes for one in self.collectives)


def report(values, num_devices):
  """The report of a config as text, for simulated CPU devices.

  To be called before JAX has looked for devices.

  Args:
    values: ConfigDict as the files in configs/ make it, or nested dict.
    num_devices: all that a -1 in config.mesh stands for.

  Raises:
    UserError: something in the config or the data set is wrong.
  """
  mesh = dataclasses.asdict(experiment_lib.read(values).mesh)
  if -1 not in mesh.values() and all(size > 0 for size in mesh.values()):
    num_devices = math.prod(mesh.values())
  simulation.use_cpu_devices(num_devices)
  plan, about = _plan(values)
  return "\n".join([about, *lines(measure(plan))])


def measure(plan):
  """Compiles the update of a plan and reads its program.

  Args:
    plan: config.plan.Plan.

  Returns:
    Cost.
  """
  with simulation.rematerialisations() as rematerialised:
    compiled = plan.compile_step(**_COMPILER)
  read, memory = program.Program(compiled.as_text()), compiled.memory_analysis()
  mesh = dict(plan.mesh.shape)
  return Cost(
      mesh=mesh, num_parameters=sum(x.size for x in jax.tree.leaves(plan.abstract.params)),
      collectives=collectives.find(read, mesh), rematerialised=rematerialised,
      flops=read.product_flops(), model_flops=plan.step_flops() / plan.mesh.size,
      memory_bytes=read.memory_bytes(), state_bytes=memory.argument_size_in_bytes,
      temporary_bytes=memory.temp_size_in_bytes)


def lines(cost):
  """A Cost as lines of text."""
  yield (f"mesh        {', '.join(f'{axis} {size}' for axis, size in cost.mesh.items())}; "
         f"{cost.num_parameters:,} parameters")
  yield ("Collectives of one update on one device, as compiled for CPUs, where bfloat16 is "
         "exchanged as float32:")
  yield f"  {'kind':<28}{'mesh axes':<20}{'arrays':>7}{'MiB':>12}{'MiB sent in a ring':>20}"
  for kind, axes, count, size, sent in collectives.table(cost.collectives):
    yield (f"  {kind:<28}{'+'.join(axes):<20}{count:>7}{size / _MIB:>12.3f}"
           f"{sent / _MIB:>20.3f}")
  yield ("rematerialisation, involuntary: " + (
      "none" if not cost.rematerialised else f"{len(cost.rematerialised)} arrays"))
  yield from (f"  {message}" for message in cost.rematerialised)
  yield (f"products    {cost.flops / 1e12:.4g} TFLOP a device, {cost.model_flops / 1e12:.4g} "
         "without what is computed again or twice")
  yield (f"memory      {cost.state_bytes / _GIB:.2f} GiB state, "
         f"{cost.temporary_bytes / _GIB:.2f} GiB temporary on each device; "
         f"{cost.memory_bytes / _GIB:.2f} GiB read and written, at most")
  yield from _estimates(cost)


def _estimates(cost):
  num_devices = math.prod(cost.mesh.values())
  held = cost.state_bytes + cost.temporary_bytes
  yield (f"Estimates from published peaks, not measured: products at {hardware.SHARE:.0%} of "
         "the bfloat16 peak, memory and links at theirs, all overlapped, no latency; the "
         "largest of the three is the step.")
  yield (f"  {'slice':<10}{'step, ms':>10}{'products':>10}{'memory':>10}{'links':>10}"
         f"{'of the memory':>15}")
  for name, chip in hardware.ACCELERATORS.items():
    seconds = hardware.step_seconds(chip, num_devices=num_devices, flops=cost.flops,
                                    memory_bytes=cost.memory_bytes, sent_bytes=cost.sent_bytes)
    held_share = held / chip.memory
    yield (f"  {f'{num_devices} {name}':<10}{max(seconds.values()) * 1e3:>10.2f}"
           + "".join(f"{value * 1e3:>10.2f}" for value in seconds.values())
           + f"{held_share:>15.0%}" + (", does not fit" if held_share > 1 else ""))


def _plan(values):
  """(Plan, line that says of what data); without the data set, of random bases."""
  try:
    return plan_lib.make(values), "data        as prepared"
  except errors.UserError as error:
    try:
      plan = plan_lib.make(values, split=random_split.RandomSplit())
    except errors.UserError:
      raise error from None
    return plan, ("data        random bases, two labels of each kind, in the place of "
                  f"config.data: {error}")
