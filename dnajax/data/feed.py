"""This process's numpy rows -> sharded global arrays, kept ahead of the step."""

import collections
import itertools

import jax
import numpy as np


def local_row_ids(sharding, batch_size):
  """Rows of the global batch that this process's devices hold, [r] int, sorted."""
  slices = sharding.addressable_devices_indices_map((batch_size,)).values()
  rows = [np.arange(batch_size)[index] for index in slices]
  return np.unique(np.concatenate(rows))


def to_global(rows, sharding, batch_size, row_ids):
  """Global arrays from this process's rows.

  Args:
    rows: nested dict of numpy arrays [r, ...], row i being row row_ids[i] of the batch.
    sharding: NamedSharding over the batch axis.
    batch_size: B.
    row_ids: as `local_row_ids` gives them.

  Returns:
    The same of jax arrays [B, ...] sharded over axis 0.
  """
  def make(array):
    def part(index):
      wanted = np.arange(batch_size)[index[0]]
      return array[np.searchsorted(row_ids, wanted)]
    return jax.make_array_from_callback(
        (batch_size, *array.shape[1:]), sharding, part)
  return jax.tree.map(make, rows)


def spread(array, sharding):
  """A host array that every process holds whole -> a global array."""
  return jax.make_array_from_callback(array.shape, sharding, array.__getitem__)


def ahead(iterator, depth=2):
  """The same items, `depth` of them drawn before they are asked for.

  Transfers to the device are asynchronous: drawing early hides them behind the
  step that runs meanwhile.
  """
  waiting = collections.deque(itertools.islice(iterator, depth))
  while waiting:
    item = waiting.popleft()
    waiting.extend(itertools.islice(iterator, 1))
    yield item
