"""What every selection has: rates, phases, a name, checks."""

import dataclasses

import jax.numpy as jnp
from jaxtyping import Array, Float

from dnajax.masking import phases
from dnajax.shell import parts


class Selection:
  """Base of the selections: which positions of a row are to be predicted.

  A selection is a frozen dataclass in a file of its own, called as

    selection(key, tokens, is_maskable, *, ranks, rate, step) -> is_selected

  with tokens [B, L] int32 ids, is_maskable [B, L] bool (False at special tokens,
  padding and [UNK]), ranks [V] int32 (see `pmi.load_ranks`) or None, rate the chance
  that applies now (traced; `rate_at(step)` times what config.masking.rate says) and
  step the updates already made (traced int32). The key is consumed. is_selected is
  [B, L] bool, a subset of is_maskable.

  What stands here is right for a selection with the keys `ratio` and `probability`.

  Attributes:
    needs_ranks: whether `ranks` may not be None.
    rate_name: what `rates` are called where they are told.
  """
  needs_ranks = False
  rate_name = "probability"

  @property
  def name(self):
    """The class's name as a config writes it: GeneMask is gene_mask."""
    return parts.in_words(self)

  def check(self, setup):
    """Ratio and probability are shares."""
    del setup
    if not 0 < self.ratio < 1:
      yield "ratio", "between 0 and 1"
    if not 0 <= self.probability <= 1:
      yield "probability", "between 0 and 1 (0: found for the ratio)"

  def for_tokenizer(self, tokenizer):
    """The selection with what follows from the tokens filled in."""
    del tokenizer
    return self

  def rates(self):
    """Tuple of the chances, one for each phase; 0 where one is to be found."""
    return (self.probability,)

  def with_rates(self, rates):
    """The selection with these chances."""
    return dataclasses.replace(self, probability=rates[0])

  def first_steps(self):
    """Tuple of the updates, counted from 0, with which the phases begin."""
    return (0,)

  def rate_at(self, step) -> Float[Array, ""]:
    """The chance at a step, which may be traced."""
    rates = jnp.asarray(self.rates(), jnp.float32)
    return rates[phases.phase_at(step, self.first_steps()[1:])]

  def expected(self, length, rate):
    """(mean, standard deviation) of the tokens selected of `length` maskable ones.

    None if there is no formula: they are then counted on the data of the run.
    """
    del length, rate

  def describe(self, step):
    """What is particular about a step, for people; "" if nothing is."""
    del step
    return ""

  def metrics(self, step):
    """The same as a list of Metric."""
    del step
    return []
