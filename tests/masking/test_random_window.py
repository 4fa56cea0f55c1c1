import jax
import jax.numpy as jnp
import numpy as np
import pytest
import selection_rows

from dnajax.masking import kmer_span, random_window
from dnajax.shell import parts

SIZES = (6, 8, 10, 12, 14)


def slow_random_window(is_hit, widths, is_maskable):
  out = np.zeros_like(is_maskable)
  num_rows, length = is_maskable.shape
  for b in range(num_rows):
    m = widths[b]
    for i in range(length):
      if is_hit[b, i] and is_maskable[b, i]:
        for j in range(i - m // 2 + 1, i + m // 2 + 1):
          if 0 <= j < length and is_maskable[b, j]:
            out[b, j] = True
  return out


def draws(key, probability, shape, num_sizes, draw):
  centre_key, size_key = jax.random.split(key)
  is_hit = np.asarray(jax.random.bernoulli(centre_key, probability, shape))
  shape = (shape[0], 1) if draw == "per_row" else (1, 1)
  size_ids = np.asarray(jax.random.randint(size_key, shape, 0, num_sizes))
  return is_hit, np.broadcast_to(size_ids, (len(is_hit), 1))[:, 0]


@pytest.mark.parametrize("draw", ["per_row", "per_batch"])
@pytest.mark.parametrize("k, length, jit", [
    *[(*shape, True) for shape in selection_rows.SHAPES], (3, 1, False), (6, 41, False)])
def test_random_window_is_the_definition(jit, draw, k, length):
  tokens, is_maskable = selection_rows.rows(k, length)
  key = jax.random.key(k)
  call = selection_rows.caller(random_window.RandomWindow(sizes=SIZES, draw=draw), jit=jit)
  got = call(key, tokens, is_maskable, 0.05)
  is_hit, size_ids = draws(key, np.float32(0.05), tokens.shape, len(SIZES), draw)
  want = slow_random_window(is_hit, [SIZES[i] for i in size_ids], is_maskable)
  np.testing.assert_array_equal(got, want)


def test_a_phase_uses_the_first_sizes_its_probability_and_compiles_nothing_new():
  tokens, is_maskable = selection_rows.rows(6, 130)
  selection = random_window.RandomWindow(
      sizes=SIZES, boundaries=(3, 6, 10), counts=(1, 2, 4, 5),
      probabilities=(.08, .06, .04, .03))
  traces = []

  @jax.jit
  def fn(key, step):
    traces.append(step)
    return selection(key, jnp.asarray(tokens), jnp.asarray(is_maskable),
                     rate=selection.rate_at(step), step=step)

  for step, num_sizes, probability in ((0, 1, .08), (2, 1, .08), (3, 2, .06), (9, 4, .04),
                                       (99, 5, .03)):
    key = jax.random.key(step)
    is_hit, size_ids = draws(key, np.float32(probability), tokens.shape, num_sizes,
                             "per_row")
    assert size_ids.max() < num_sizes
    want = slow_random_window(is_hit, [SIZES[i] for i in size_ids], is_maskable)
    np.testing.assert_array_equal(fn(key, jnp.int32(step)), want)
  assert len(traces) == 1
  assert "phase 3 of 4, windows of 6, 8, 10, 12 tokens" in selection.describe(6)
  assert [one.value for step in (5, 6) for one in selection.metrics(step)] == [2, 3]


def test_every_size_in_use_is_drawn_equally_often(monkeypatch):
  tokens = np.zeros((3000, 41), np.int32)
  is_maskable = np.zeros(tokens.shape, bool)
  is_maskable[:, 13:29] = True  # room for the widest window around position 20
  monkeypatch.setattr(jax.random, "bernoulli",
                      lambda key, p, shape: jnp.broadcast_to(jnp.arange(41) == 20, shape))
  call = selection_rows.caller(random_window.RandomWindow(sizes=SIZES[:3]))
  sizes = call(jax.random.key(0), tokens, is_maskable, 1).sum(axis=1)
  values, counts = np.unique(sizes, return_counts=True)
  assert values.tolist() == [6, 8, 10]
  assert abs(counts - 1000).max() < 4 * np.sqrt(3000 * 2 / 9)


def test_windows_of_six_are_dnaberts_spans():
  window = range(1 - 3, 3 + 1)
  assert tuple(window) == kmer_span.OFFSETS[6]


def test_one_chance_for_all_phases_or_one_for_each():
  one = random_window.RandomWindow(probability=.1, boundaries=(5,), counts=(1, 1))
  assert one.rates() == (.1, .1)
  assert one.with_rates((.2, .3)).rates() == (.2, .3)
  plain = random_window.RandomWindow().with_rates((.2,))
  assert plain.probability == .2 and plain.probabilities == ()


@pytest.mark.parametrize("key, values", [
    ("sizes", dict(sizes=(6, 7))), ("sizes", dict(sizes=())),
    ("boundaries", dict(boundaries=(2, 2), counts=(1, 1, 1))),
    ("counts", dict(boundaries=(3,), counts=(1,))), ("counts", dict(boundaries=(3,))),
    ("counts", dict(counts=(2,))), ("probabilities", dict(probabilities=(.1, .2))),
    ("probabilities", dict(probabilities=(2.0,)))])
def test_wrong_settings_are_refused(key, values):
  selection = random_window.RandomWindow(**values)
  assert key in [key for key, _ in selection.check(parts.Setup())]
