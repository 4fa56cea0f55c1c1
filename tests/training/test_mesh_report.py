"""Collectives of the training step on eight devices, beside what textbooks say."""

import functools

import jax
import pytest
import tiny

from dnajax.config import plan as plan_lib
from dnajax.data import random_split
from dnajax.training import mesh_report

NUM_DEVICES = 8


@functools.cache
def measured(data, fsdp, tensor):
  """(Plan, Cost) of the tiny BarcodeMAE, all of whose sizes can be cut into eight."""
  plan = plan_lib.make(tiny.values(
      "barcodemae", "nowhere", has_evals=False, mesh__data=data, mesh__fsdp=fsdp,
      mesh__tensor=tensor), split=random_split.RandomSplit())
  return plan, mesh_report.measure(plan)


def arrays(cost):
  return [one for one in cost.collectives if not one.is_scalar]


def param_bytes(plan):
  return sum(4 * x.size for x in jax.tree.leaves(plan.abstract.params))


def total(cost, kind):
  return sum(one.times * one.num_bytes for one in arrays(cost) if one.kind == kind)


def test_data_parallel_training_sums_gradients_and_does_nothing_else():
  plan, cost = measured(8, 1, 1)
  assert {(one.kind, one.axes) for one in cost.collectives} == {("all-reduce", ("data",))}
  # Positions behind the last token have no gradient, the parameters are a little more.
  assert .85 < total(cost, "all-reduce") / param_bytes(plan) <= 1


def test_fsdp_gathers_parameters_and_scatters_gradients_and_does_nothing_else():
  plan, cost = measured(1, 8, 1)
  assert {(one.kind, one.axes) for one in arrays(cost)} == {
      ("all-gather", ("fsdp",)), ("reduce-scatter", ("fsdp",))}
  assert .85 < total(cost, "reduce-scatter") / param_bytes(plan) <= 1
  # Once forward and once backward, but for what the backward pass does not need.
  assert 1 < total(cost, "all-gather") / param_bytes(plan) <= 2


def test_tensor_parallel_blocks_sum_activations_twice_forward():
  plan, cost = measured(2, 2, 2)
  experiment = plan.experiment
  depth = experiment.encoder.depth + experiment.objective.decoder_depth
  per_token = experiment.batch_size // 4 * plan.task.masking.num_scored  # parts of a softmax
  over = [one for one in arrays(cost) if (one.kind, one.axes) == ("all-reduce", ("tensor",))
          and one.num_items > per_token]
  forward = [one for one in over if "/blocks/" in one.op_name
             and "transpose(" not in one.op_name]
  backward = [one for one in over if "transpose(" in one.op_name]
  assert sum(one.times for one in forward) == 2 * depth
  # The feed-forward layer once, query, key and value each, which a TPU's compiler adds up
  # first; and the head.
  assert sum(one.times for one in backward) == 4 * depth + 1


@pytest.mark.parametrize("mesh", [(8, 1, 1), (1, 8, 1), (2, 2, 2)])
def test_no_array_is_copied_whole_against_the_will_of_the_partitioner(mesh):
  assert not measured(*mesh)[1].rematerialised


@pytest.mark.parametrize("mesh", [(8, 1, 1), (1, 8, 1)])
def test_products_of_a_scanned_model_are_those_of_arithmetic(mesh):
  plan, cost = measured(*mesh)
  assert plan.experiment.encoder.scan_unroll < plan.experiment.encoder.depth
  assert cost.model_flops == plan.step_flops() / 8
  # Beside those of the model: masking counts by products of small matrices.
  assert 0 <= cost.flops - cost.model_flops < 0.005 * cost.model_flops


@pytest.mark.parametrize("mesh", [(1, 8, 1), (2, 2, 2)])
def test_state_of_the_optimizer_lies_as_its_parameters_do(mesh):
  plan, _ = measured(*mesh)
  by_path = {jax.tree_util.keystr(path): sharding.spec for path, sharding
             in jax.tree_util.tree_leaves_with_path(plan.sharding.params)}
  found = 0
  for path, sharding in jax.tree_util.tree_leaves_with_path(plan.sharding.opt_state):
    for name, spec in by_path.items():
      if jax.tree_util.keystr(path).endswith(name):
        assert sharding.spec == spec, path
        found += 1
  assert found == 2 * len(by_path)               # both moments of Adam
  assert any(axes for spec in by_path.values() for axes in spec)


def test_the_report_says_all_of_it():
  text = "\n".join(mesh_report.lines(measured(1, 8, 1)[1]))
  for word in ("reduce-scatter", "fsdp", "involuntary: none", "8 v5e", "8 H200", "estimate"):
    assert word.lower() in text.lower()
  assert len(text.splitlines()) < 30
