"""The update and the evaluation of one batch, as pure functions."""

import jax
import jax.numpy as jnp
import optax

from dnajax import partitioning, registry
from dnajax.masking import coverage, pmi, schedule, strategy
from dnajax.tokens import kmers
from dnajax.training import losses

SUM_NAMES = ("selected_loss", "unselected_loss", "selected", "unselected",
             "correct", "tokens", "maskable", "masked_out", "kept",
             "kept_overflow", "scored_overflow", "hidden_bases", "covered_bases",
             "rank_sum", "hard_updates", "grad_norm", "updates")


def make_masking(config, derived, *, is_training=True):
  """Returns (key, bases [B, bp] uint8, stage) -> (Masked, counts), pure.

  Training reads a row from the other strand with the chance
  config.tokens.reverse_complement and shifts the frame by 0..k-1 bases if
  config.tokens.random_offset; evaluation does neither. All draws belong to
  (key, row): they depend neither on the mesh nor on the number of processes.
  """
  masking = derived.masking
  ranks = strategy.load_ranks(masking, config.data, derived.vocabulary)
  select = strategy.make(masking, derived.vocabulary, ranks)
  corrupt = registry.corruption(masking.corruption)

  def mask(key, bases, stage):
    offset_key, select_key, corrupt_key, strand_key = jax.random.split(key, 4)
    if is_training and derived.reverse_complement:
      bases = kmers.randomly_reverse_complement(
          strand_key, bases, probability=derived.reverse_complement)
    offset = None
    if is_training and config.tokens.random_offset:
      offset = jax.random.randint(offset_key, bases.shape[:1], 0,
                                  derived.vocabulary.k)
    tokens = kmers.tokenize(
        bases, vocabulary=derived.vocabulary, stride=config.tokens.stride,
        offset=offset, length=config.data.max_length)
    is_selected = select(select_key, tokens.ids, tokens.is_maskable, stage)
    masked, counts = corrupt(
        corrupt_key, tokens, is_selected, vocabulary=derived.vocabulary,
        num_kept=derived.num_kept, num_scored=derived.num_scored,
        mask_share=masking.mask_share, random_share=masking.random_share,
        score_unselected=config.loss.masked_loss_weight < 1)
    hidden, covered = coverage.hidden_bases(
        is_selected, tokens.is_maskable, k=derived.vocabulary.k,
        stride=config.tokens.stride, num_leading=int(derived.vocabulary.add_cls))
    rank_sum = jnp.zeros(())
    if ranks is not None:
      rank_sum = jnp.where(is_selected, pmi.token_ranks(ranks, tokens.ids), 0).sum(
          dtype=jnp.float32)
    return masked, {**counts, "hidden_bases": hidden, "covered_bases": covered,
                    "rank_sum": rank_sum}

  return mask


def make_train_step(model, config, derived, optimizer):
  """Returns (state, batch) -> state, pure and not yet jitted.

  batch is {"bases": [B, bp] uint8}. With accumulate_steps = A the batch is
  worked on in A parts of B/A rows; masks are drawn for the whole batch and
  losses are divided by the whole batch's counts, so that A changes memory and
  time only (without dropout; dropout draws anew in each part).
  """
  mask = make_masking(config, derived)
  weight = config.loss.masked_loss_weight
  num_parts = config.accumulate_steps

  def part_loss(params, masked, key, scales):
    logits = model.apply({"params": params}, masked, deterministic=False,
                         rngs={"dropout": key})
    sums = losses.masked_cross_entropy(
        logits, masked, num_special=derived.vocabulary.num_special)
    loss = (scales[0] * sums["selected_loss"]
            + scales[1] * sums["unselected_loss"])
    return loss, sums

  grad_fn = jax.grad(part_loss, has_aux=True)

  def train_step(state, batch):
    key = jax.random.fold_in(jax.random.wrap_key_data(state.key), state.step)
    mask_key, dropout_key, stage_key = jax.random.split(key, 3)
    stage = schedule.stage_at(derived.masking, config.total_steps, state.progress,
                              state.step, stage_key)
    masked, counts = mask(mask_key, batch["bases"], stage)
    scales = (weight / jnp.maximum(masked.is_selected.sum(), 1),
              (1 - weight) / jnp.maximum(masked.is_unselected.sum(), 1))
    if num_parts == 1:
      grads, sums = grad_fn(state.params, masked, dropout_key, scales)
    else:
      grads, sums = _accumulate(grad_fn, state.params, masked, dropout_key,
                                scales, num_parts)
    updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
    counts["masked_out"] = counts.pop("selected")
    sums = {**sums, **counts, "hard_updates": stage.is_hard.astype(jnp.float32),
            "grad_norm": optax.tree.norm(grads),
            "updates": jnp.ones(())}
    return state.replace(
        step=state.step + 1,
        params=optax.apply_updates(state.params, updates),
        opt_state=opt_state,
        sums={name: state.sums[name] + sums[name] for name in SUM_NAMES})

  return train_step


def _accumulate(grad_fn, params, masked, key, scales, num_parts):
  """Sums of grad_fn over parts; part a holds rows a, a + A, a + 2A, ...

  Taking every A-th row leaves each device with its own rows.
  """
  def split(x):
    return x.reshape(-1, num_parts, *x.shape[1:]).swapaxes(0, 1)

  def add_part(total, xs):
    part, part_key = xs
    return jax.tree.map(jnp.add, total,
                        grad_fn(params, part, part_key, scales)), None

  parts = jax.tree.map(split, masked)
  keys = jax.random.split(key, num_parts)
  first = jax.tree.map(lambda x: x[0], parts)
  zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(
      grad_fn, params, first, keys[0], scales))
  return jax.lax.scan(add_part, zeros, (parts, keys))[0]


def jit_train_step(train_step, *, mesh, state_sharding):
  """The compiled update: state donated, batch sharded over its rows."""
  return jax.jit(
      train_step,
      in_shardings=(state_sharding,
                    {"bases": partitioning.batch_sharding(mesh)}),
      out_shardings=state_sharding, donate_argnames="state")


def make_eval_sums(model, config, derived):
  """Returns (params, batch, key) -> sums of `losses.masked_cross_entropy`.

  batch has "bases" [B, bp] and "is_real" [B]; rows that are not real count
  nothing. The masking is that of training in its first stage, whatever the step,
  and the frame is not shifted.
  """
  mask = make_masking(config, derived, is_training=False)

  def eval_sums(params, batch, key):
    masked, _ = mask(key, batch["bases"][:, :config.data.max_length],
                     schedule.first_stage())
    is_real = batch["is_real"][:, None]
    masked = masked.replace(is_selected=masked.is_selected & is_real,
                            is_unselected=masked.is_unselected & is_real)
    logits = model.apply({"params": params}, masked, deterministic=True)
    return losses.masked_cross_entropy(
        logits, masked, num_special=derived.vocabulary.num_special)

  return eval_sums
