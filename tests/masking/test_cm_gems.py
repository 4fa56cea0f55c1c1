import types

import numpy as np
import pytest

from dnajax.masking import cm_gems
from dnajax.shell import parts


def switch_after(perplexities, **changes):
  """Number of evaluations after which it switches; None if it does not."""
  curriculum = cm_gems.CmGems(**changes)
  progress, seen = curriculum.start(), None
  for n, perplexity in enumerate(perplexities):
    progress = curriculum.observe(progress, 10 * n, perplexity)
    if seen is None and int(progress.switch_step) >= 0:
      seen = n + 1
    if seen is not None:  # latched
      assert int(progress.switch_step) == 10 * (seen - 1)
    assert curriculum.is_hard(0, 1, progress, None) == (seen is not None)
  return seen


@pytest.mark.parametrize("perplexities, changes, want", [
    ([9, 7, 6.5, 6.4], {}, 3),
    ([9, 8, 7], {}, None),              # less than the threshold, not equal to it
    ([9], {}, None),                    # nothing to compare with
    ([9, 9], {}, 2),
    ([9, 9.5, 7], {}, None),            # a rise is no drop ...
    ([9, 9.5, 7], dict(change="absolute"), 2),  # ... but a change
    ([9, 30, 8], dict(change="absolute"), None),
    ([9, 8.5, 3], {}, 2),               # final although it falls again
    ([100, 60, 59], dict(relative=True, threshold=0.02), 3),
    ([100, 97, 90], dict(relative=True, threshold=0.02), None),
    ([float("nan"), 9, float("nan"), 8.9, 8.8], {}, 5),
    ([float("inf"), 9, 8.5], {}, 3),
])
def test_cm_gems_switches_when_perplexity_settles(perplexities, changes, want):
  assert switch_after(perplexities, **changes) == want


def test_the_history_keeps_the_last_evaluations_newest_last():
  curriculum = cm_gems.CmGems()
  progress = curriculum.start()
  length = len(progress.steps)
  for n in range(length + 3):
    progress = curriculum.observe(progress, n, 1000.0 - 2 * n)
    assert int(progress.num_evaluations) == n + 1
  np.testing.assert_array_equal(progress.steps, np.arange(3, length + 3))
  np.testing.assert_allclose(progress.perplexities, 1000 - 2 * np.arange(3, length + 3))
  assert float(progress.smallest_change) == 2
  values = {one.name: one.value for one in curriculum.metrics(9, progress, 5)}
  assert values == {"curriculum/hard_share": 0, "curriculum/switch_step": -1,
                    "curriculum/smallest_change": 2}


def test_only_an_evaluator_that_tells_a_perplexity_in_the_course_of_training_will_do():
  def entry(**values):
    return types.SimpleNamespace(**values)

  evals = dict(masked_loss=entry(yields_perplexity=True, every_steps=5),
               at_end=entry(yields_perplexity=True, every_steps=0),
               knn=entry(every_steps=5))
  wrong = {name: [key for key, _ in cm_gems.CmGems(evaluator=name).check(
      parts.Setup(evals=evals))] for name in (*evals, "missing")}
  assert wrong == {"masked_loss": [], "at_end": ["evaluator"], "knn": ["evaluator"],
                   "missing": ["evaluator"]}
