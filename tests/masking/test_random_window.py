import functools

import jax
import numpy as np
import pytest
import selection_rows

from dnajax.masking import kmer_span, random_window

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


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("draw", random_window.DRAWS)
@pytest.mark.parametrize("k, length", selection_rows.SHAPES)
def test_random_window_is_the_definition(jit, draw, k, length):
  tokens, is_maskable = selection_rows.rows(k, length)
  fn = functools.partial(random_window.random_window, probability=0.05,
                         sizes=SIZES, draw=draw)
  key = jax.random.key(k)
  got = (jax.jit(fn) if jit else fn)(key, tokens, is_maskable)
  is_hit, size_ids = draws(key, 0.05, tokens.shape, len(SIZES), draw)
  want = slow_random_window(is_hit, [SIZES[i] for i in size_ids], is_maskable)
  np.testing.assert_array_equal(got, want)


def test_a_phase_uses_the_first_sizes_and_compiles_nothing_new():
  tokens, is_maskable = selection_rows.rows(6, 130)
  num_compiled = 0

  @jax.jit
  def fn(key, num_sizes):
    nonlocal num_compiled
    num_compiled += 1
    return random_window.random_window(
        key, tokens, is_maskable, probability=0.05, sizes=SIZES,
        num_sizes=num_sizes)

  for num_sizes in range(1, 6):
    key = jax.random.key(num_sizes)
    is_hit, size_ids = draws(key, 0.05, tokens.shape, num_sizes, "per_row")
    assert size_ids.max() < num_sizes
    want = slow_random_window(is_hit, [SIZES[i] for i in size_ids], is_maskable)
    np.testing.assert_array_equal(fn(key, np.int32(num_sizes)), want)
  assert num_compiled == 1


def test_every_size_in_use_is_drawn_equally_often():
  tokens = np.zeros((3000, 41), np.int32)
  is_maskable = np.zeros(tokens.shape, bool)
  is_maskable[:, 13:29] = True  # room for the widest window around position 20
  is_centre = np.arange(41) == 20
  sizes = random_window.random_window(
      jax.random.key(0), tokens, is_maskable,
      probability=is_centre.astype(np.float32), sizes=SIZES,
      num_sizes=np.int32(3)).sum(axis=1)
  values, counts = np.unique(sizes, return_counts=True)
  assert values.tolist() == [6, 8, 10]
  assert abs(counts - 1000).max() < 4 * np.sqrt(3000 * 2 / 9)


def test_windows_of_six_are_dnaberts_spans():
  window = range(1 - 3, 3 + 1)
  assert tuple(window) == kmer_span.OFFSETS[6]


@pytest.mark.parametrize("jit", [False, True])
def test_a_phase_starts_with_the_update_at_its_boundary(jit):
  fn = functools.partial(random_window.num_sizes_at, boundaries=(3, 6, 10),
                         counts=(1, 2, 4, 5))
  fn = jax.jit(fn) if jit else fn
  got = [int(fn(np.int32(step))) for step in range(12)]
  assert got == [1] * 3 + [2] * 3 + [4] * 4 + [5] * 2
  assert fn(np.int32(0)).dtype == np.int32
  assert int(random_window.num_sizes_at(7, (), (2,))) == 2


def test_wrong_settings_are_refused():
  tokens, is_maskable = selection_rows.rows(6, 41)
  call = functools.partial(random_window.random_window, jax.random.key(0),
                           tokens, is_maskable, probability=0.1)
  with pytest.raises(ValueError, match="even numbers"):
    call(sizes=(6, 7))
  with pytest.raises(ValueError, match="Unknown draw 'row'"):
    call(sizes=(6,), draw="row")
  with pytest.raises(ValueError, match="one phase more"):
    random_window.num_sizes_at(0, (1, 2), (1, 2))
  with pytest.raises(ValueError, match="must increase"):
    random_window.num_sizes_at(0, (2, 2), (1, 2, 3))
