"""Sequences longer than a model reads, in overlapping windows."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Windows:
  """Where windows lie. An embedding is their mean; each weighs the base pairs that are
  nearer to its middle than to that of another window, so that every base counts once.

  Attributes:
    length: base pairs of a window.
    step: from one to the next, half a window in whole strides: all windows read the same
      frame. The last one begins where it just reaches the end.
    stride: bases from one token to the next.
  """
  length: int
  step: int
  stride: int

  def places(self, num_bases):
    """Yields (start, end, weight) of every window of a sequence; weights add up to its
    length."""
    if num_bases <= self.length:
      yield 0, num_bases, num_bases
      return
    last = -(-(num_bases - self.length) // self.stride) * self.stride
    start, begins = 0, 0
    while True:
      after = min(start + self.step, last)
      if start == last:
        yield start, num_bases, num_bases - begins
        return
      ends = (after + start + self.length) // 2       # the middle of the overlap
      yield start, start + self.length, ends - begins
      start, begins = after, ends


def make(tokenizer):
  """The Windows of a model."""
  stride = tokenizer.stride
  step = max(tokenizer.length // 2 // stride, 1) * stride
  return Windows(tokenizer.length, step, stride)
