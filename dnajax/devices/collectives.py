"""Collectives of a compiled program: which kind, over which mesh axes, how many bytes."""

import collections
import dataclasses
import re

import numpy as np

KINDS = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute")

# Of n devices in a ring each sends this many times the whole array.
_SENT = {"all-reduce": lambda n: 2 * (n - 1) / n, "all-gather": lambda n: (n - 1) / n,
         "reduce-scatter": lambda n: (n - 1) / n, "all-to-all": lambda n: (n - 1) / n,
         "collective-permute": lambda n: 1}


@dataclasses.dataclass(frozen=True)
class Collective:
  """One array that devices exchange.

  `num_bytes` is the size of the whole array on one device: what is reduced, what is there
  once gathered, what is scattered.
  """
  kind: str          # of KINDS
  axes: tuple        # mesh axes along which its devices differ
  group_size: int    # devices that exchange
  num_bytes: float   # each time
  num_items: int     # numbers of the array, each time
  times: int         # a step
  op_name: str       # JAX operations it comes from

  @property
  def sent_bytes(self):
    """Bytes that each device sends in a step, in a ring."""
    return self.times * self.num_bytes * _SENT[self.kind](self.group_size)

  @property
  def is_scalar(self):
    """One number: the sum of a loss, a norm, a condition."""
    return self.num_items == 1


def find(program, mesh_shape):
  """Every collective of a program, in its order.

  An all-reduce of which each device keeps only its own part is a reduce-scatter: CPUs
  have no other, and TPUs write it so too.

  Args:
    program: program.Program.
    mesh_shape: {axis: size}, in the order of the mesh.

  Returns:
    List of Collective; one that exchanges several arrays is several.
  """
  found = []
  for computation, one, times in program.runs():
    kind = one.opcode.removesuffix("-start")
    if kind not in KINDS:
      continue
    groups = _groups(one.text, mesh_shape)
    size = groups.shape[1]
    if size == 1:
      continue
    axes = _axes(groups, mesh_shape)
    arrays = [array for arrays in program.arrays(computation, one) for array in arrays]
    if kind == "all-to-all":   # one operand for each device
      arrays = [dataclasses.replace(arrays[0], shape=(len(arrays), *arrays[0].shape))]
    for index, array in enumerate(arrays):
      grown = size if kind == "all-gather" else 1
      is_cut = kind == "all-reduce" and _is_cut(program, computation, one, index,
                                                len(arrays), size)
      found.append(Collective(
          kind="reduce-scatter" if is_cut else kind, axes=axes, group_size=size,
          num_bytes=array.num_bytes * grown,
          num_items=int(np.prod(array.shape, dtype=float)) * grown, times=times,
          op_name=one.op_name))
  return found


def table(found):
  """Sums by kind, axes and whether scalars: rows of (kind, axes, count, bytes, sent).

  Args:
    found: list of Collective.
  """
  sums = collections.defaultdict(lambda: [0, 0.0, 0.0])
  for one in found:
    row = sums[("scalars: " if one.is_scalar else "") + one.kind, one.axes]
    row[0] += one.times
    row[1] += one.times * one.num_bytes
    row[2] += one.sent_bytes
  return [(*key, *row) for key, row in sorted(sums.items())]


def _groups(text, mesh_shape):
  """[groups, devices in each] int, places in the mesh."""
  pairs = re.search(r"source_target_pairs=\{((?:\{\d+,\d+\},?)+)\}", text)
  if pairs:
    numbers = np.array([int(n) for n in re.findall(r"\d+", pairs.group(1))]).reshape(-1, 2)
    moved = numbers[numbers[:, 0] != numbers[:, 1]]
    return moved if len(moved) else np.zeros((1, 1), int)
  named = re.search(r"replica_groups=mesh\[([^\]]*)\](?:, device_ids=\(([^)]*\)?[^)]*)\))? "
                    r"?\{([^}]*)\}", text)
  if named:
    axes = re.findall(r"'(\w+)'=(\d+)", named.group(1))
    sizes = [int(size) for _, size in axes]
    ids = (_iota(named.group(2)) if named.group(2) else np.arange(np.prod(sizes))
           ).reshape(sizes)
    chosen = [i for i, (name, _) in enumerate(axes) if f"'{name}'" in named.group(3)]
    others = [i for i in range(len(axes)) if i not in chosen]
    return ids.transpose(others + chosen).reshape(-1, int(np.prod([sizes[i] for i in chosen])))
  iota = re.search(r"replica_groups=\[([\d,]+)\]<=(\[[\d,]+\](?:T\([\d,]+\))?)", text)
  if iota:
    return _iota(iota.group(2)).reshape([int(n) for n in iota.group(1).split(",")])
  listed = re.search(r"replica_groups=\{((?:\{[\d,]+\},?)+)\}", text)
  if listed:
    return np.array([[int(n) for n in group.split(",")]
                     for group in re.findall(r"\{([\d,]+)\}", listed.group(1))])
  return np.arange(np.prod(list(mesh_shape.values())))[None]      # no groups: all


def _iota(text):
  """[4,2]T(1,0) -> numbers 0..7 of that shape, transposed."""
  shape, _, order = text.partition("T")
  sizes = [int(n) for n in re.findall(r"\d+", shape)]
  ids = np.arange(np.prod(sizes)).reshape(sizes)
  return ids.transpose([int(n) for n in re.findall(r"\d+", order)]) if order else ids


def _axes(groups, mesh_shape):
  places = np.stack(np.unravel_index(groups, tuple(mesh_shape.values())), axis=-1)
  differ = (places != places[:, :1]).any(axis=(0, 1))
  return tuple(axis for axis, does in zip(mesh_shape, differ, strict=True) if does)


def _is_cut(program, computation, one, index, num_arrays, size):
  """Whether all that is done with result `index` is to take 1/size of it."""
  whole = np.prod(one.results[index].shape)
  names = [one.name]
  if num_arrays > 1:
    names = [element.name for element in program.users(computation, one.name)
             if re.search(rf"index={index}\b", element.text)]
  return bool(names) and all(_only_parts(program, computation, name, whole / size)
                             for name in names)


def _only_parts(program, computation, name, most):
  """Whether every use of a result is a slice of at most `most` numbers, or leads to one."""
  users = program.users(computation, name)
  return bool(users) and all(_takes_part(program, computation, user, name, most)
                             for user in users)


def _takes_part(program, computation, user, name, most):
  if user.opcode == "dynamic-slice":
    return np.prod(user.results[0].shape) <= most
  if user.opcode in ("bitcast", "copy", "reshape", "transpose", "convert"):
    if not user.is_root:
      return _only_parts(program, computation, user.name, most)
    # The end of a fusion: what is done with the fusion itself decides.
    return all(_only_parts(program, *caller, most) for caller in program.callers(computation))
  if user.opcode != "fusion":
    return False
  inside = user.called[0]
  parameters = [x for x in program.computations[inside].values() if x.opcode == "parameter"]
  return all(_only_parts(program, inside, parameter.name, most) for parameter in parameters
             if user.operands[parameter.number] == name)
