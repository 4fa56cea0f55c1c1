"""What is read from a compiled program, beside arithmetic."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from dnajax.devices import collectives, hardware, partitioning, program, simulation

NUM_DEVICES = 8
TEXT = """HloModule m

%sum (a: f32[], b: f32[]) -> f32[] {{
  %a = f32[] parameter(0)
  %b = f32[] parameter(1)
  ROOT %add = f32[] add(%a, %b)
}}

ENTRY %main (x: f32[8,4]) -> f32[8,4] {{
  %x = f32[8,4]{{1,0:T(8,128)}} parameter(0)
  ROOT %y = f32[8,4]{{1,0}} {opcode}(%x), channel_id=1, {groups}, to_apply=%sum
}}
"""
MESH = {"data": 2, "fsdp": 2, "tensor": 2}


def read(opcode, groups):
  return collectives.find(program.Program(TEXT.format(opcode=opcode, groups=groups)), MESH)


@pytest.mark.parametrize("groups,axes,size", [
    ("replica_groups={{0,1},{2,3},{4,5},{6,7}}", ("tensor",), 2),
    ("replica_groups={{0,2},{1,3},{4,6},{5,7}}", ("fsdp",), 2),
    ("replica_groups=[2,4]<=[2,2,2]T(1,0,2)", ("data", "tensor"), 4),
    ("replica_groups=[4,2]<=[8]", ("tensor",), 2),
    ("replica_groups=[4,2]<=[4,2]T(1,0)", ("fsdp",), 2),
    ("replica_groups=mesh['axis_0'=4,'axis_1'=2] {'axis_0'}", ("data", "fsdp"), 4),
    ("replica_groups=mesh['axis_0'=2,'axis_1'=4], device_ids=([2,2,2]T(1,0,2)) {'axis_0'}",
     ("fsdp",), 2),
    ("replica_groups={}", ("data", "fsdp", "tensor"), 8)])
def test_every_way_to_write_groups_of_devices_is_read(groups, axes, size):
  (one,) = read("all-reduce", groups)
  assert (one.axes, one.group_size, one.num_bytes) == (axes, size, 128)
  assert one.sent_bytes == 2 * (size - 1) / size * 128


def test_bytes_are_those_of_the_whole_array():
  groups = "replica_groups={{0,1,2,3},{4,5,6,7}}"
  assert read("all-gather", groups)[0].num_bytes == 4 * 128
  assert read("reduce-scatter", groups)[0].num_bytes == 128
  (one,) = read("collective-permute", "source_target_pairs={{0,1},{1,0},{2,2}}")
  assert one.axes == ("tensor",) and one.sent_bytes == 128
  assert not read("all-reduce", "replica_groups={{0},{1}}")


def test_products_in_loops_count_as_often_as_they_run():
  def fn(a, b):
    twice = lambda x: jax.lax.fori_loop(0, 3, lambda _, y: jnp.tanh(y @ b), x)
    return jax.lax.scan(lambda x, _: (twice(x), None), a, None, length=5)[0]

  shape = jax.ShapeDtypeStruct((16, 16), jnp.float32)
  compiled = jax.jit(fn).lower(shape, shape).compile()
  assert program.Program(compiled.as_text()).product_flops() == 5 * 3 * 2 * 16**3


def test_memory_of_a_sum_is_what_is_read_and_written():
  shape = jax.ShapeDtypeStruct((1000,), jnp.float32)
  compiled = jax.jit(lambda a, b: a * b + a).lower(shape, shape).compile()
  assert program.Program(compiled.as_text()).memory_bytes() == 3 * 4000


def mapped(fn, *specs, shapes, out):
  mesh = partitioning.make_mesh(dict(data=1, fsdp=8, tensor=1))
  place = lambda spec: NamedSharding(mesh, PartitionSpec(*spec))
  return jax.jit(fn, in_shardings=tuple(map(place, specs)), out_shardings=place(out)).lower(
      *(jax.ShapeDtypeStruct(shape, np.float32) for shape in shapes)).compile()


def test_a_sum_of_which_each_device_keeps_its_part_is_a_reduce_scatter():
  shapes = [(64, 16), (64, 32)]
  product = lambda x, y: x.T @ y
  for out, kind in ((("fsdp",), "reduce-scatter"), ((), "all-reduce")):
    compiled = mapped(product, ("fsdp",), ("fsdp",), shapes=shapes, out=out)
    (one,) = collectives.find(program.Program(compiled.as_text()),
                              {"data": 1, "fsdp": 8, "tensor": 1})
    assert (one.kind, one.num_bytes) == (kind, 16 * 32 * 4)


def test_an_array_that_is_copied_whole_is_reported_whatever_is_cached():
  mesh = partitioning.make_mesh(dict(data=2, fsdp=2, tensor=2))
  place = lambda *spec: NamedSharding(mesh, PartitionSpec(*spec))

  def compile_one():
    def move(x):
      x = jax.lax.with_sharding_constraint(x * 2, place(None, None, "fsdp"))
      return jax.lax.with_sharding_constraint(x, place(("data", "fsdp"))) * 3

    with simulation.rematerialisations() as found:
      jax.jit(move, in_shardings=place(None, None, "fsdp"),
              out_shardings=place(("data", "fsdp"))).lower(
                  jax.ShapeDtypeStruct((8, 8, 8), np.float32)).compile()
    return found

  assert compile_one() and compile_one()
  with simulation.rematerialisations() as found:
    mapped(lambda x: x * 2, ("fsdp",), shapes=[(8,)], out=("fsdp",))
  assert not found


def test_gpus_of_several_hosts_exchange_over_the_network():
  seconds = lambda name, num: hardware.step_seconds(
      hardware.ACCELERATORS[name], num_devices=num, flops=989e12, memory_bytes=3.35e12,
      sent_bytes=450e9)
  assert seconds("H100", 8) == pytest.approx(dict(products=2, memory=1, links=1))
  assert seconds("H100", 16)["links"] == pytest.approx(9)
  assert seconds("v5e", 16) == seconds("v5e", 256)
