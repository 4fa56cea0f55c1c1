import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dnajax.masking import cm_step


@pytest.mark.parametrize("total_steps, num_blocks", [(100, 10), (7, 10), (1000, 100),
                                                     (103, 10), (5, 1)])
def test_the_hard_share_rises_linearly_in_blocks(total_steps, num_blocks):
  curriculum = cm_step.CmStep(num_blocks=num_blocks)
  steps = jnp.arange(total_steps + 3)
  got = jax.vmap(lambda step: curriculum.hard_share_at(step, total_steps))(steps)
  want = [min(step * num_blocks // total_steps, num_blocks - 1) / num_blocks
          for step in range(total_steps + 3)]
  np.testing.assert_allclose(got, want, atol=1e-7)


def test_one_coin_per_update_has_that_share():
  curriculum = cm_step.CmStep()
  toss = jax.jit(jax.vmap(lambda step, key: curriculum.is_hard(step, 100, None, key),
                          (None, 0)))
  keys = jax.random.split(jax.random.key(0), 400)
  for step, share in ((5, 0), (35, .3), (99, .9)):
    is_hard = toss(jnp.int32(step), keys)
    assert is_hard.shape == (400,) and abs(is_hard.mean() - share) < .08


def test_the_coin_of_the_public_code_is_another_and_the_class_says_so():
  assert "micro-batch" in inspect.getdoc(cm_step.CmStep)
