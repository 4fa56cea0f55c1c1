import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dnajax.masking import coverage


def slow_hidden(is_selected, is_maskable, k, stride, num_leading):
  hidden = covered = 0
  for selected, maskable in zip(is_selected, is_maskable, strict=True):
    holders = {}
    for i in range(num_leading, len(selected)):
      if maskable[i]:
        for base in range((i - num_leading) * stride, (i - num_leading) * stride + k):
          holders.setdefault(base, []).append(bool(selected[i]))
    covered += len(holders)
    hidden += sum(all(selections) for selections in holders.values())
  return hidden, covered


@pytest.mark.parametrize("k, stride", [(3, 1), (6, 1), (6, 6), (4, 2), (3, 5)])
@pytest.mark.parametrize("length", [1, 2, 9, 40])
@pytest.mark.parametrize("num_leading", [0, 1])
def test_hidden_nucleotides_are_those_that_no_visible_kmer_holds(
    k, stride, length, num_leading):
  rng = np.random.default_rng((k, stride, length))
  is_maskable = rng.random((6, length)) < [[1], [1], [.8], [.8], [.5], [0]]
  is_maskable[:, :num_leading] = False
  is_selected = is_maskable & (rng.random((6, length)) < .7)
  got = jax.jit(coverage.hidden_bases, static_argnames=("k", "stride", "num_leading"))(
      is_selected, is_maskable, k=k, stride=stride, num_leading=num_leading)
  assert tuple(map(float, got)) == slow_hidden(
      is_selected, is_maskable, k, stride, num_leading)


@pytest.mark.parametrize("run, hidden", [(5, 0), (6, 1), (8, 3), (11, 6), (14, 9)])
def test_runs_of_6mers_hide_what_the_papers_say(run, hidden):
  is_maskable = np.ones((1, 40), bool)
  is_selected = np.zeros((1, 40), bool)
  is_selected[0, 10:10 + run] = True
  got, covered = coverage.hidden_bases(
      jnp.asarray(is_selected), jnp.asarray(is_maskable), k=6, stride=1, num_leading=0)
  assert (int(got), int(covered)) == (hidden, 45)
