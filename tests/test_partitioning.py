import jax
import jax.numpy as jnp
import pytest
from flax import linen as nn

from dnajax.devices import partitioning
from dnajax.shell import errors

NUM_DEVICES = 8


def test_minus_one_takes_the_remaining_devices():
  mesh = partitioning.make_mesh(dict(data=-1, fsdp=2, tensor=2))
  assert dict(mesh.shape) == dict(data=2, fsdp=2, tensor=2)


@pytest.mark.parametrize("sizes", [dict(data=3, fsdp=1, tensor=1),
                                   dict(data=-1, fsdp=3, tensor=1),
                                   dict(data=-1, fsdp=-1, tensor=1),
                                   dict(data=0, fsdp=8, tensor=1)])
def test_a_mesh_that_does_not_fit_is_refused(sizes):
  with pytest.raises(errors.UserError, match="config.mesh"):
    partitioning.make_mesh(sizes)


def test_a_batch_that_does_not_divide_is_refused_with_the_next_size():
  mesh = partitioning.make_mesh(dict(data=4, fsdp=2, tensor=1))
  partitioning.check_batch(16, mesh)
  with pytest.raises(errors.UserError, match="batch_size=16"):
    partitioning.check_batch(12, mesh)


def labelled(*names, shape=(4, 4)):
  return lambda: {"w": nn.LogicallyPartitioned(jnp.zeros(shape), names)}


def test_parameters_are_cut_as_the_rules_say_unless_the_size_is_odd():
  mesh = partitioning.make_mesh(dict(data=2, fsdp=2, tensor=2))
  with partitioning.use(mesh):
    _, sharding = partitioning.abstract_and_sharding(labelled("embed", "mlp"), mesh)
    assert sharding["w"].spec == jax.sharding.PartitionSpec("fsdp", "tensor")
    _, sharding = partitioning.abstract_and_sharding(
        labelled("embed", "mlp", shape=(3, 4)), mesh)
    assert sharding["w"].spec == jax.sharding.PartitionSpec(None, "tensor")


def test_an_axis_without_a_rule_is_an_error_not_a_replicated_tensor():
  mesh = partitioning.make_mesh(dict(data=8, fsdp=1, tensor=1))
  with partitioning.use(mesh), pytest.raises(ValueError, match="haeds"):
    partitioning.abstract_and_sharding(labelled("embed", "haeds"), mesh)


def test_a_bias_is_cut_over_fsdp_too_and_a_kernel_over_each_axis_once():
  mesh = partitioning.make_mesh(dict(data=2, fsdp=2, tensor=2))
  with partitioning.use(mesh):
    for name in ("heads", "mlp", "vocab"):
      _, sharding = partitioning.abstract_and_sharding(labelled(name, shape=(8,)), mesh)
      assert sharding["w"].spec == jax.sharding.PartitionSpec(("tensor", "fsdp"))
      _, sharding = partitioning.abstract_and_sharding(labelled(name, "embed"), mesh)
      assert sharding["w"].spec == jax.sharding.PartitionSpec("tensor", "fsdp")
