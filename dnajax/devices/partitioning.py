"""Mesh, axis rules, shardings: the only place with mesh axis names."""

import contextlib
import math

import jax
from flax import linen as nn
from jax.experimental import mesh_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from dnajax.shell import errors

AXES = ("data", "fsdp", "tensor")
BATCH_AXES = ("data", "fsdp")

AXIS_RULES = (  # logical name -> mesh axes; the first row whose axes are free wins
    ("batch", BATCH_AXES),
    ("length", None),
    ("embed", "fsdp"),
    ("heads", ("tensor", "fsdp")),  # biases: what is whole everywhere needs an all-reduce
    ("mlp", ("tensor", "fsdp")),
    ("vocab", ("tensor", "fsdp")),
    ("heads", "tensor"),            # kernels, whose other axis is "embed"; activations
    ("mlp", "tensor"),
    ("vocab", "tensor"),
    ("words", None),      # looked up by row: a gather from one device
    ("positions", None),  # 512 rows: not worth a collective per step
    ("layers", None),     # the scan walks over it
)


def make_mesh(sizes, devices=None, name="config.mesh"):
  """A mesh with axes data, fsdp, tensor.

  Args:
    sizes: mapping of the three names to sizes; one may be -1 for the rest.
    devices: default all devices of all processes.
    name: where the sizes were given.

  Raises:
    UserError: the sizes do not multiply to the number of devices.
  """
  devices = jax.devices() if devices is None else devices
  shape = [int(sizes[axis]) for axis in AXES]
  given = math.prod(size for size in shape if size != -1)
  if shape.count(-1) > 1 or any(size == 0 or size < -1 for size in shape):
    raise errors.UserError(
        f"{name}={dict(zip(AXES, shape, strict=True))}: sizes are positive, "
        "one of them may be -1 (all remaining devices).")
  if -1 in shape and len(devices) % given == 0:
    shape[shape.index(-1)] = len(devices) // given
  if math.prod(shape) != len(devices):
    raise errors.UserError(
        f"{name}={dict(zip(AXES, shape, strict=True))} does not fit {len(devices)} devices. "
        f"Their product must be {len(devices)}; data=-1 means all remaining devices.")
  # Auto: constraints are hints to the partitioner. The default, Explicit, would
  # make each an assertion.
  return Mesh(mesh_utils.create_device_mesh(shape, devices), AXES,
              axis_types=(AxisType.Auto,) * len(AXES))


@contextlib.contextmanager
def use(mesh):
  """Traces inside this context see the mesh and the axis rules."""
  with jax.set_mesh(mesh), nn.logical_axis_rules(AXIS_RULES):
    yield


def num_batch_parts(mesh):
  """Number of parts the rows of a batch are divided into."""
  return math.prod(mesh.shape[axis] for axis in BATCH_AXES)


def check_batch(batch_size, mesh, accumulate_steps=1):
  """Refuses a batch that does not divide over the batch axes of the mesh."""
  parts = num_batch_parts(mesh) * accumulate_steps
  if batch_size % parts:
    raise errors.UserError(
        f"config.batch_size={batch_size} does not divide over {parts} parts "
        f"(mesh data × fsdp × accumulate_steps). Use a multiple, for example "
        f"--config.batch_size={-(-batch_size // parts) * parts}.")


def batch_sharding(mesh):
  """Rows of a batch over the batch axes."""
  return NamedSharding(mesh, PartitionSpec(BATCH_AXES))


def replicated(mesh):
  """Everything everywhere."""
  return NamedSharding(mesh, PartitionSpec())


def abstract_and_sharding(init_fn, mesh):
  """Shapes and shardings of what `init_fn()` makes, allocating nothing.

  Args:
    init_fn: () -> tree whose leaves may be boxed with logical axis names.
    mesh: see `make_mesh`.

  Returns:
    (tree of ShapeDtypeStruct, tree of NamedSharding).
  """
  boxed = jax.eval_shape(init_fn)
  specs = nn.get_partition_spec(boxed)
  known = {name for name, _ in AXIS_RULES}
  for spec in jax.tree.leaves(specs, is_leaf=lambda x: isinstance(x, PartitionSpec)):
    unknown = [name for name in spec if name is not None and name not in known]
    if unknown:
      raise ValueError(f"Logical axes {unknown} are missing from AXIS_RULES.")
  abstract = jax.eval_shape(lambda: nn.unbox(init_fn()))
  shardings = nn.logical_to_mesh_sharding(specs, mesh, AXIS_RULES)
  return abstract, jax.tree.map(_fitting, abstract, shardings)


def _fitting(array, sharding):
  """The sharding, without the axes whose size does not divide the array's.

  Vocabularies have 4^k + 2 rows: odd sizes are replicated instead of refused.
  """
  spec = []
  for size, axes in zip(array.shape, sharding.spec + (None,) * array.ndim,
                        strict=False):
    names = () if axes is None else (axes if isinstance(axes, tuple) else (axes,))
    parts = math.prod(sharding.mesh.shape[name] for name in names)
    spec.append(axes if size % parts == 0 else None)
  return NamedSharding(sharding.mesh, PartitionSpec(*spec))
