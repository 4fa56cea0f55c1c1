"""What the XLA compiler made, read from its text: instructions and how often each runs.

`compiled.cost_analysis()` counts the body of a loop once; here it counts as often as the
loop goes round. Of a conditional every branch counts: what is found is an upper bound.
"""

import collections
import dataclasses
import functools
import math
import re

_BITS = {"pred": 8, "token": 0, "opaque": 0}   # the others end in their number of bits
_ARRAY = re.compile(r"([a-z]+\d*[a-z0-9]*)\[([\d,]*)\]")
_NAME = re.compile(r"%([\w.\-]+)")
_HEAD = re.compile(r"^\s*(ROOT )?%([\w.\-]+) = ")
_COMPUTATION = re.compile(r"^(ENTRY )?%([\w.\-]+) \(.*\{$")
_CALLED = re.compile(r"(calls|body|to_apply|branch_computations|true_computation|"
                     r"false_computation)=\{?((?:%[\w.\-]+(?:, )?)+)")
_TRIPS = re.compile(r'"known_trip_count":\{"n":"(\d+)"\}')
_CALLERS = {"call", "fusion", "while", "conditional", "async-start", "custom-call"}
# Moves nothing: names, and what is counted where it is called.
_FREE = {"parameter", "constant", "tuple", "get-tuple-element", "bitcast", "while", "call",
         "conditional", "after-all", "partition-id", "replica-id", "iota", "opt-barrier"}


@dataclasses.dataclass(frozen=True)
class Array:
  """An array on one device."""
  dtype: str
  shape: tuple

  @property
  def num_bytes(self):
    """Without padding; tokens and the like have none."""
    digits = re.search(r"\d+", self.dtype)
    bits = _BITS.get(self.dtype, int(digits.group()) if digits else 0)
    return math.prod(self.shape) * bits / 8


@dataclasses.dataclass(frozen=True)
class Instruction:
  """One line of a computation."""
  name: str
  opcode: str        # as "all-reduce"
  results: tuple     # Arrays; several of a tuple
  operands: tuple    # names of instructions of the same computation
  text: str          # what stands behind the operands
  is_root: bool

  @property
  def num_bytes(self):
    """Of the results together."""
    return sum(array.num_bytes for array in self.results)

  @property
  def op_name(self):
    """The JAX operations it comes from, as "jit(step)/jvp(Model)/encoder/dot_general"."""
    found = re.search(r'op_name="([^"]*)"', self.text)
    return found.group(1) if found else ""

  @property
  def number(self):
    """Of a parameter: which."""
    return int(self.text.strip("()"))

  @property
  def called(self):
    """Names of the computations that it runs."""
    if self.opcode not in _CALLERS:
      return ()
    return tuple(name for _, names in _CALLED.findall(self.text)
                 for name in _NAME.findall(names))

  @property
  def trips(self):
    """How often the called ones run; 1 for a loop of unknown length."""
    found = _TRIPS.search(self.text) if self.opcode == "while" else None
    return int(found.group(1)) if found else 1


class Program:
  """The partitioned, optimised program of one device.

  Attributes:
    computations: {name: {instruction name: Instruction}}.
  """

  def __init__(self, text):
    """text: `compiled.as_text()`."""
    self.computations, self._entry, current = {}, None, {}
    for line in text.splitlines():
      header = _COMPUTATION.match(line)
      if header:
        current = self.computations[header.group(2)] = {}
        self._entry = header.group(2) if header.group(1) else self._entry
      elif _HEAD.match(line):
        one = _parse(line)
        current[one.name] = one

  @functools.cached_property
  def times(self):
    """{computation: how often it runs in one call of the program}."""
    found, order = collections.Counter(), []

    def visit(name, seen):
      if name not in seen:
        seen.add(name)
        for one in self.computations[name].values():
          for other in one.called:
            visit(other, seen)
        order.append(name)

    visit(self._entry, set())
    found[self._entry] = 1
    for name in reversed(order):   # callers before what they call
      for one in self.computations[name].values():
        for other in one.called:
          found[other] += found[name] * one.trips
    return found

  def runs(self):
    """Yields (computation name, Instruction, how often it runs)."""
    for name, times in self.times.items():
      for one in self.computations[name].values():
        yield name, one, times

  def arrays(self, computation, instruction):
    """The Arrays of each operand, a list of tuples."""
    known = self.computations[computation]
    return [known[name].results for name in instruction.operands]

  def users(self, computation, name):
    """Instructions of the computation that take a named one."""
    return self._users[computation].get(name, ())

  def callers(self, computation):
    """[(computation, instruction name)] of what runs a computation."""
    return [(name, one.name) for name, members in self.computations.items()
            for one in members.values() if computation in one.called]

  @functools.cached_property
  def _users(self):
    found = {}
    for name, computation in self.computations.items():
      found[name] = collections.defaultdict(list)
      for one in computation.values():
        for operand in dict.fromkeys(one.operands):
          found[name][operand].append(one)
    return found

  def product_flops(self):
    """Operations of matrix products in one call on one device, 2 for each pair of factors."""
    return sum(times * self._flops(name, one) for name, one, times in self.runs()
               if one.opcode == "dot")

  def _flops(self, computation, one):
    sizes = [array.shape for (array,) in self.arrays(computation, one)]
    num_results = math.prod(one.results[0].shape)
    over = re.search(r"lhs_contracting_dims=\{([\d,]*)\}", one.text).group(1)
    return 2 * num_results * math.prod(sizes[0][int(d)] for d in over.split(",") if d)

  def memory_bytes(self):
    """Bytes that one call reads from and writes to a device's memory, at most.

    What a fusion makes inside stays in registers or caches; of an array that is only
    sliced the slice counts. Another compiler fuses otherwise.
    """
    fused = {name for _, one, _ in self.runs() if one.opcode == "fusion"
             for name in one.called}
    return sum(times * self._moved(name, one) for name, one, times in self.runs()
               if name not in fused and one.opcode not in _FREE
               and not one.opcode.endswith("-done"))

  def _moved(self, computation, one):
    if one.opcode in ("dynamic-slice", "slice", "gather"):
      return 2 * one.num_bytes
    if one.opcode == "dynamic-update-slice":
      return 2 * _bytes(self.arrays(computation, one)[1])
    read = [_bytes(arrays) for arrays in self.arrays(computation, one)]
    written = one.num_bytes
    if one.opcode == "fusion":
      inside = one.called[0]
      parameters = [x for x in self.computations[inside].values() if x.opcode == "parameter"]
      for parameter in parameters:
        users = self.users(inside, parameter.name)
        if users and all(x.opcode == "dynamic-slice" for x in users):
          read[parameter.number] = sum(x.num_bytes for x in users)
        elif users and all(x.opcode == "dynamic-update-slice"
                           and x.operands[0] == parameter.name for x in users):
          changed = sum(_bytes(self.arrays(inside, x)[1]) for x in users)
          written += changed - sum(x.num_bytes for x in users)
          read[parameter.number] = 0
    return written + sum(read)


def _bytes(arrays):
  return sum(array.num_bytes for array in arrays)


def _parse(line):
  """The Instruction of a line `  %name = SHAPE opcode(%a, %b), …`."""
  head = _HEAD.match(line)
  rest = line[head.end():]
  end = _closing(rest, 0) if rest.startswith("(") else rest.index(" ")
  shape, rest = rest[:end], rest[end:].lstrip()
  opening = rest.index("(")
  closing = _closing(rest, opening)
  opcode = rest[:opening]
  inner = rest[opening:closing]
  results = tuple(Array(dtype, tuple(int(n) for n in sizes.split(",") if n))
                  for dtype, sizes in _ARRAY.findall(shape))
  return Instruction(
      name=head.group(2), opcode=opcode, results=results,
      operands=() if opcode in ("parameter", "constant") else tuple(_NAME.findall(inner)),
      text=inner if opcode == "parameter" else rest[closing:], is_root=bool(head.group(1)))


def _closing(text, start):
  """Index behind the bracket that closes the one at `start`."""
  depth = 0
  for place in range(start, len(text)):
    depth += (text[place] == "(") - (text[place] == ")")
    if depth == 0:
      return place + 1
  raise ValueError(f"No closing bracket in {text[:80]!r}")
