"""A masking bound to the tokens, ranks and slots of a run."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Key

from dnajax.masking import coverage, phases, pmi, slots, types
from dnajax.masking import settings as settings_lib
from dnajax.shell import metric
from dnajax.tokens import kmers
from dnajax.tokens import tokenizer as tokenizer_lib


def bind(settings, tokenizer, *, ranks, score_unselected):
  """Binds config.masking.

  Args:
    settings: settings.Masking. Chances and slots that the data decide are found (see
      `find.resolve`); where they are not, nothing is selected and there is room for all.
    tokenizer: tokenizer.Tokenizer.
    ranks: [V] int32, see `find.load_ranks`; None if no selection needs them.
    score_unselected: also score the maskable tokens that were not selected.

  Returns:
    BoundMasking.
  """
  length = tokenizer.num_tokens
  num_kept, num_scored = slots.by_formula(settings, length) or (length, length)
  return BoundMasking(
      settings=settings, tokenizer=tokenizer, ranks=ranks,
      score_unselected=score_unselected,
      num_kept=(min(settings.num_kept or num_kept, length)
                if settings.corruption.takes_out else length),
      num_scored=(length if score_unselected
                  else min(settings.num_scored or num_scored, length)))


@dataclasses.dataclass(frozen=True, eq=False)
class BoundMasking:
  """Tokens -> Masked, in a stage; made by `bind`.

  Attributes:
    settings: that it was made of.
    tokenizer: of the tokens.
    ranks: [V] int32 or None.
    score_unselected: also score the maskable tokens that were not selected.
    num_kept: K, slots of the encoder: of kept tokens, or L.
    num_scored: M, positions that the loss looks at.
  """
  settings: settings_lib.Masking
  tokenizer: tokenizer_lib.Tokenizer
  ranks: np.ndarray | None
  score_unselected: bool
  num_kept: int
  num_scored: int

  def __call__(self, key: Key[Array, ""], tokens: kmers.Tokens,
               stage: types.Stage) -> tuple[types.Masked, dict]:
    """Selects and corrupts; all draws belong to (key, row).

    Args:
      key: PRNG key, consumed.
      tokens: of B rows.
      stage: see `stage_at`, `first_stage`.

    Returns:
      (Masked, counts): counts is a dict of float32 scalars, sums over the batch:
      tokens, maskable, selected, kept, kept_overflow, scored_overflow, hidden_bases,
      covered_bases (see `coverage`), rank_sum (PMI ranks of the selected; 0 without).
    """
    select_key, corrupt_key = jax.random.split(key)
    # Without the barrier XLA computes the selection again for each of its uses.
    is_selected = jax.lax.optimization_barrier(self.select(select_key, tokens, stage))
    vocabulary = self.tokenizer.vocabulary
    masked, counts = self.settings.corruption(
        corrupt_key, tokens, is_selected, vocabulary=vocabulary, num_kept=self.num_kept,
        num_scored=self.num_scored, score_unselected=self.score_unselected)
    hidden, covered = coverage.hidden_bases(
        is_selected, tokens.is_maskable, k=vocabulary.k, stride=self.tokenizer.stride,
        num_leading=int(vocabulary.add_cls))
    rank_sum = jnp.zeros(())
    if self.ranks is not None:
      rank = pmi.token_ranks(jnp.asarray(self.ranks), tokens.ids)
      rank_sum = jnp.where(is_selected, rank, 0).sum(dtype=jnp.float32)
    return masked, {**counts, "hidden_bases": hidden, "covered_bases": covered,
                    "rank_sum": rank_sum}

  def select(self, key: Key[Array, ""], tokens: kmers.Tokens,
             stage: types.Stage) -> Bool[Array, "B L"]:
    """Which tokens are predicted; only the selection that the stage names is computed."""
    branches = [self._caller(one) for one in self.settings.in_use().values()]
    arguments = (key, tokens.ids, tokens.is_maskable, stage)
    if len(branches) == 1:
      return branches[0](*arguments)
    easy, hard = branches
    return jax.lax.cond(stage.is_hard, hard, easy, *arguments)

  def _caller(self, selection):
    selection = selection.for_tokenizer(self.tokenizer)

    def call(key, ids, is_maskable, stage):
      ranks = None if self.ranks is None else jnp.asarray(self.ranks)
      return selection(key, ids, is_maskable, ranks=ranks, step=stage.step,
                       rate=selection.rate_at(stage.step) * stage.rate_factor)

    return call

  @property
  def evaluator(self):
    """Entry of config.evals that `observe` waits for; "" for none."""
    return self.settings.curriculum.evaluator

  def start(self):
    """Progress of the curriculum before the first update; None for none."""
    return self.settings.curriculum.start()

  def first_stage(self):
    """The stage of every evaluation; see `types.first_stage`."""
    return types.first_stage()

  def stage_at(self, step, total_steps, progress, key):
    """The Stage of an update.

    Args:
      step: int32 scalar, updates already made; may be traced.
      total_steps: of the run, static.
      progress: see `start`.
      key: PRNG key, consumed.
    """
    step, rate = jnp.asarray(step, jnp.int32), self.settings.rate
    factors = jnp.asarray((1.0, *rate.factors), jnp.float32)
    return types.Stage(
        is_hard=self.settings.curriculum.is_hard(step, total_steps, progress, key),
        rate_factor=factors[phases.phase_at(step, rate.boundaries)], step=step)

  def observe(self, name, perplexity, progress, step):
    """Progress after entry `name` of config.evals; only the curriculum's changes it."""
    if progress is None or name != self.evaluator:
      return progress
    return self.settings.curriculum.observe(progress, step, perplexity)

  def describe(self, total_steps, progress, step):
    """A phrase on what is done from a step on; "" if it never changes."""
    settings = self.settings
    texts = [settings.curriculum.describe(settings.selection, total_steps, progress, step)]
    texts += [one.describe(step) for one in settings.in_use().values()]
    if settings.rate.boundaries:
      texts.append(f"{self._factor(step):g} × the first rate")
    return "; ".join(filter(None, texts))

  def metrics(self, total_steps, progress, step):
    """What `describe` tells, as a list of Metric."""
    settings = self.settings
    out = [*settings.curriculum.metrics(total_steps, progress, step),
           *settings.selection.metrics(step)]
    if settings.rate.boundaries:
      out.append(metric.Metric("curriculum/rate_factor", self._factor(step), "", False))
    return out

  def _factor(self, step):
    rate = self.settings.rate
    return (1.0, *rate.factors)[int(phases.phase_at(step, rate.boundaries))]
