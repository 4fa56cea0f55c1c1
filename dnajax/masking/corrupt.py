"""Corruption: what the encoder sees of the selected tokens.

Of the selected tokens the share `mask_share` is masked (each corruption in its own
way), `random_share` becomes another random k-mer and the rest stays; all of them are
scored (BarcodeMAE, pretraining.py; BERT's 80/10/10 is mask_share=.8, random_share=.1).
"""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Key

from dnajax.masking import slots, types
from dnajax.tokens import kmers


class Corruption:
  """Base of the corruptions, with the keys `mask_share` and `random_share`.

  A corruption is a frozen dataclass, called as

    corruption(key, tokens, is_selected, *, vocabulary, num_kept, num_scored,
               score_unselected) -> (types.Masked, counts)

  with the key, which is consumed; tokens of B rows and L positions; is_selected [B, L]
  bool, a subset of tokens.is_maskable; a Vocabulary; the static numbers of slots K and
  M; and whether the maskable tokens that were not selected are scored, too. A row with
  more scored positions than M loses the surplus at random. counts: dict of float32
  scalars, sums over the batch.

  Attributes:
    takes_out: whether the encoder works on K kept tokens; else on all L.
  """
  takes_out = False

  def check(self, setup):
    """Both are shares, together at most 1."""
    del setup
    if not 0 <= self.mask_share <= 1:
      yield "mask_share", "between 0 and 1"
    if not 0 <= self.random_share <= 1 - self.mask_share + 1e-9:
      yield "random_share", f"between 0 and 1 - mask_share={1 - self.mask_share:g}"


@dataclasses.dataclass(frozen=True)
class Replace(Corruption):
  """Masked tokens become [MASK] in place (BERT, BarcodeBERT)."""
  mask_share: float = 1.0    # of the selected tokens: [MASK]
  random_share: float = 0.0  # of the selected tokens: another k-mer; the rest stays

  def __call__(self, key: Key[Array, ""], tokens: kmers.Tokens,
               is_selected: Bool[Array, "B L"], *, vocabulary, num_kept=None,
               num_scored, score_unselected=False) -> tuple[types.Masked, dict]:
    """See `Corruption`; num_kept is unused."""
    del num_kept
    band_key, score_key = jax.random.split(key)
    ids, is_masked = _bands(self, band_key, tokens.ids, is_selected, vocabulary)
    return _in_place(
        score_key, tokens, is_selected, num_scored, score_unselected,
        encoder_ids=jnp.where(is_masked, vocabulary.mask_id, ids),
        is_attended=tokens.pad_mask,
        is_hidden=jnp.zeros_like(is_masked), is_absent=jnp.zeros_like(is_masked))


@dataclasses.dataclass(frozen=True)
class Hide(Corruption):
  """Masked tokens stay in place, word embedding zero, not attended.

  The decoder gets its mask embedding there, so that with a masked autoencoder this
  computes what `Drop` computes, at the cost of all L positions.

  Not the first version that BarcodeMAE published (`forward_v1`), though it also hides
  in place: there the encoder's positions are added twice, nothing is projected between
  encoder and decoder, and the decoder gets the encoder's positions.
  """
  mask_share: float = 1.0    # of the selected tokens: hidden
  random_share: float = 0.0  # of the selected tokens: another k-mer; the rest stays

  def __call__(self, key: Key[Array, ""], tokens: kmers.Tokens,
               is_selected: Bool[Array, "B L"], *, vocabulary, num_kept=None,
               num_scored, score_unselected=False) -> tuple[types.Masked, dict]:
    """See `Corruption`; num_kept is unused."""
    del num_kept
    band_key, score_key = jax.random.split(key)
    ids, is_masked = _bands(self, band_key, tokens.ids, is_selected, vocabulary)
    return _in_place(
        score_key, tokens, is_selected, num_scored, score_unselected,
        encoder_ids=ids, is_attended=tokens.pad_mask & ~is_masked,
        is_hidden=is_masked, is_absent=is_masked)


@dataclasses.dataclass(frozen=True)
class Drop(Corruption):
  """Masked tokens are taken out: the encoder works on K slots (BarcodeMAE).

  Padding takes no slot. A row with fewer than K kept tokens has slots that
  are not attended; a row with more loses the surplus at random ([CLS] stays)
  and `counts["kept_overflow"]` says how many were lost in all.
  """
  mask_share: float = 1.0    # of the selected tokens: taken out
  random_share: float = 0.0  # of the selected tokens: another k-mer; the rest stays

  takes_out = True

  def __call__(self, key: Key[Array, ""], tokens: kmers.Tokens,
               is_selected: Bool[Array, "B L"], *, vocabulary, num_kept,
               num_scored, score_unselected=False) -> tuple[types.Masked, dict]:
    """See `Corruption`."""
    band_key, keep_key, score_key = jax.random.split(key, 3)
    ids, is_masked = _bands(self, band_key, tokens.ids, is_selected, vocabulary)
    is_candidate = tokens.pad_mask & ~is_masked
    keep_ids, is_kept_slot, is_kept, order = slots.pack(
        keep_key, is_candidate, num_kept,
        is_favoured=tokens.ids == vocabulary.cls_id if vocabulary.add_cls else None)
    scored, counts = _score(score_key, tokens, is_selected, num_scored, score_unselected)
    masked = types.Masked(
        encoder_ids=slots.take(ids, keep_ids),
        encoder_positions=keep_ids,
        is_attended=is_kept_slot,
        is_hidden=jnp.zeros_like(is_kept_slot),
        is_absent=~is_kept,
        restore_ids=jnp.maximum(order - 1, 0),
        is_in_place=False, **scored)
    return masked, _as_float({
        "kept": is_kept.sum(), "kept_overflow": (is_candidate & ~is_kept).sum(), **counts})


def _bands(corruption, key, ids: Int[Array, "B L"], is_selected, vocabulary):
  """Splits the selected tokens by one draw each. -> (ids, is_masked), [B, L].

  A random k-mer always differs from the one it replaces, as in BarcodeMAE:
  one of the other classes with equal chance.
  """
  mask_share, random_share = corruption.mask_share, corruption.random_share
  if mask_share >= 1:  # every draw lies below: none is needed
    return ids, is_selected
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


def _in_place(key, tokens, is_selected, num_scored, score_unselected, **encoder_sees):
  positions = jnp.broadcast_to(
      jnp.arange(tokens.ids.shape[1], dtype=jnp.int32), tokens.ids.shape)
  scored, counts = _score(key, tokens, is_selected, num_scored, score_unselected)
  masked = types.Masked(encoder_positions=positions, restore_ids=positions,
                        is_in_place=True, **encoder_sees, **scored)
  return masked, _as_float({
      "kept": encoder_sees["is_attended"].sum(),
      "kept_overflow": jnp.zeros((), jnp.int32), **counts})


def _score(key, tokens, is_selected, num_scored, score_unselected):
  """What the loss looks at: fields of a Masked, and counts."""
  is_scored = tokens.is_maskable if score_unselected else is_selected
  ids, is_used, is_kept, _ = slots.pack(key, is_scored, num_scored)
  is_chosen = slots.take(is_selected, ids)
  fields = dict(pad_mask=tokens.pad_mask, scored_ids=ids,
                targets=slots.take(tokens.ids, ids),
                is_selected=is_used & is_chosen, is_unselected=is_used & ~is_chosen)
  counts = {"tokens": tokens.pad_mask.sum(), "maskable": tokens.is_maskable.sum(),
            "selected": is_selected.sum(),
            "scored_overflow": (is_scored & ~is_kept).sum()}
  return fields, counts


def _as_float(counts):
  return {name: count.astype(jnp.float32) for name, count in counts.items()}
