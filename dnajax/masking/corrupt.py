"""Corruption: what the encoder sees of the selected tokens.

`replace`, `drop` and `hide` share one signature. Of the selected tokens the
share `mask_share` is masked (each corruption in its own way), `random_share`
becomes another random k-mer and the rest stays; all of them are scored
(BarcodeMAE, pretraining.py; BERT's 80/10/10 is mask_share=.8,
random_share=.1).
"""

import jax
import jax.numpy as jnp

from dnajax.masking import lowest, types


def replace(key, tokens, is_selected, *, vocabulary, num_kept, num_scored,
            mask_share=1.0, random_share=0.0, score_unselected=False):
  """Masked tokens become [MASK] in place (BERT, BarcodeBERT).

  Args:
    key: PRNG key, consumed.
    tokens: Tokens of B rows and L positions.
    is_selected: [B, L] bool, a subset of tokens.is_maskable.
    vocabulary: a Vocabulary, static.
    num_kept: K, static; used by `drop` only.
    num_scored: M, static. Surplus scored positions are lost at random.
    mask_share: share of the selected tokens that is masked.
    random_share: share of the selected tokens replaced by another k-mer.
    score_unselected: also score the maskable tokens that were not selected.

  Returns:
    (Masked, counts): counts is a dict of scalars, sums over the batch.
  """
  del num_kept
  band_key, score_key = jax.random.split(key)
  ids, is_masked = _bands(band_key, tokens.ids, is_selected, vocabulary,
                          mask_share, random_share)
  return _masked_in_place(
      score_key, tokens, is_selected, num_scored, score_unselected,
      encoder_ids=jnp.where(is_masked, vocabulary.mask_id, ids),
      is_attended=tokens.pad_mask,
      is_hidden=jnp.zeros_like(is_masked), is_absent=jnp.zeros_like(is_masked))


def hide(key, tokens, is_selected, *, vocabulary, num_kept, num_scored,
         mask_share=1.0, random_share=0.0, score_unselected=False):
  """Masked tokens stay in place, embedding zero, not attended (BarcodeMAE v1).

  The decoder gets its mask embedding there, so that with a masked autoencoder
  this computes what `drop` computes, at the cost of all L positions.
  Arguments and result as `replace`.
  """
  del num_kept
  band_key, score_key = jax.random.split(key)
  ids, is_masked = _bands(band_key, tokens.ids, is_selected, vocabulary,
                          mask_share, random_share)
  return _masked_in_place(
      score_key, tokens, is_selected, num_scored, score_unselected,
      encoder_ids=ids, is_attended=tokens.pad_mask & ~is_masked,
      is_hidden=is_masked, is_absent=is_masked)


def drop(key, tokens, is_selected, *, vocabulary, num_kept, num_scored,
         mask_share=1.0, random_share=0.0, score_unselected=False):
  """Masked tokens are taken out: the encoder works on K slots (BarcodeMAE).

  Padding takes no slot. A row with fewer than K kept tokens has slots that
  are not attended; a row with more loses the surplus at random ([CLS] stays)
  and `counts["kept_overflow"]` says how many were lost in all.
  Arguments and result as `replace`.
  """
  band_key, keep_key, score_key = jax.random.split(key, 3)
  ids, is_masked = _bands(band_key, tokens.ids, is_selected, vocabulary,
                          mask_share, random_share)
  is_candidate = tokens.pad_mask & ~is_masked
  keep_ids, is_kept_slot, is_kept = _pack(
      keep_key, is_candidate, num_kept,
      is_favoured=tokens.ids == vocabulary.cls_id if vocabulary.add_cls else None)
  scored_ids, is_scored_slot, scored_counts = _score(
      score_key, tokens, is_selected, num_scored, score_unselected)
  masked = types.Masked(
      encoder_ids=_take(ids, keep_ids),
      encoder_positions=keep_ids,
      is_attended=is_kept_slot,
      is_hidden=jnp.zeros_like(is_kept_slot),
      is_absent=~is_kept,
      restore_ids=jnp.maximum(jnp.cumsum(is_kept, axis=1) - 1, 0),
      is_in_place=False,
      **_targets(tokens, is_selected, scored_ids, is_scored_slot))
  counts = {"kept": is_kept.sum(),
            "kept_overflow": (is_candidate & ~is_kept).sum(), **scored_counts}
  return masked, _as_float(counts)


def _bands(key, ids, is_selected, vocabulary, mask_share, random_share):
  """Splits the selected tokens by one draw each. -> (ids, is_masked), [B, L].

  A random k-mer always differs from the one it replaces, as in BarcodeMAE:
  one of the other classes with equal chance.
  """
  band_key, random_key = jax.random.split(key)
  draws = jax.random.uniform(band_key, ids.shape)
  is_masked = is_selected & (draws < mask_share)
  if random_share:
    is_random = is_selected & ~is_masked & (draws < mask_share + random_share)
    # Of 2^23 equally likely draws; half the bits that randint takes.
    other = (jax.random.uniform(random_key, ids.shape)
             * (vocabulary.num_classes - 1)).astype(jnp.int32)
    other += other >= ids - vocabulary.num_special
    ids = jnp.where(is_random, other + vocabulary.num_special, ids)
  return ids, is_masked


def _masked_in_place(key, tokens, is_selected, num_scored, score_unselected,
                     **encoder_sees):
  positions = jnp.broadcast_to(
      jnp.arange(tokens.ids.shape[1], dtype=jnp.int32), tokens.ids.shape)
  scored_ids, is_scored_slot, scored_counts = _score(
      key, tokens, is_selected, num_scored, score_unselected)
  masked = types.Masked(
      encoder_positions=positions, restore_ids=positions, is_in_place=True,
      **encoder_sees,
      **_targets(tokens, is_selected, scored_ids, is_scored_slot))
  counts = {"kept": encoder_sees["is_attended"].sum(),
            "kept_overflow": jnp.zeros((), jnp.int32), **scored_counts}
  return masked, _as_float(counts)


def _score(key, tokens, is_selected, num_scored, score_unselected):
  """Positions the loss looks at: ids [B, M], whether a slot is used, counts."""
  is_scored = tokens.is_maskable if score_unselected else is_selected
  scored_ids, is_scored_slot, is_kept = _pack(key, is_scored, num_scored)
  counts = {"tokens": tokens.pad_mask.sum(),
            "maskable": tokens.is_maskable.sum(),
            "selected": is_selected.sum(),
            "scored_overflow": (is_scored & ~is_kept).sum()}
  return scored_ids, is_scored_slot, counts


def _targets(tokens, is_selected, scored_ids, is_scored_slot):
  is_selected = _take(is_selected, scored_ids)
  return dict(pad_mask=tokens.pad_mask, scored_ids=scored_ids,
              targets=_take(tokens.ids, scored_ids),
              is_selected=is_scored_slot & is_selected,
              is_unselected=is_scored_slot & ~is_selected)


def _pack(key, is_candidate, size, is_favoured=None):
  """The positions of up to `size` candidates of each row, in order.

  Args:
    key: PRNG key; draws which candidates a row with too many of them loses.
    is_candidate: [B, L] bool.
    size: S, number of slots, static.
    is_favoured: [B, L] bool, candidates that are never lost, or None.

  Returns:
    ids [B, S] int32 (0 in empty slots), is_used [B, S], is_kept [B, L].
  """
  num_rows, length = is_candidate.shape

  def lose_surplus():
    draws, largest = lowest.draws(key, is_candidate.shape)
    if is_favoured is not None:
      draws, largest = jnp.where(is_favoured, 0, draws + 1), largest + 1
    return lowest.select(draws, is_candidate, jnp.full((num_rows, 1), size),
                         largest=largest)

  is_kept = is_candidate
  if size < length:  # and even then most batches have no row with too many
    is_kept = jax.lax.cond((is_candidate.sum(axis=1) > size).any(),
                           lose_surplus, lambda: is_candidate)
  # A scatter: on a CPU much faster than any sort.
  slots = jnp.where(is_kept, jnp.cumsum(is_kept, axis=1) - 1, size)
  positions = jnp.broadcast_to(jnp.arange(length, dtype=jnp.int32), slots.shape)
  ids = jnp.zeros((num_rows, size), jnp.int32).at[
      jnp.arange(num_rows)[:, None], slots].set(positions, mode="drop")
  is_used = jnp.arange(size) < is_kept.sum(axis=1, keepdims=True)  # [B, S]
  return ids, is_used, is_kept


def _take(array, ids):
  return jnp.take_along_axis(array, ids, axis=1)


def _as_float(counts):
  return {name: count.astype(jnp.float32) for name, count in counts.items()}
