"""Summed losses and their weights."""

import jax
import jax.numpy as jnp


def masked_cross_entropy(logits, masked, *, num_special):
  """Cross-entropy at the scored positions, as sums (BarcodeMAE, section 3).

  Args:
    logits: [B, M, C] float32, C = V less the special ids.
    masked: Masked; `targets` are ids, class = id - num_special.
    num_special: ids below this are no classes, static.

  Returns:
    dict of scalars: selected_loss, unselected_loss (sums, nats), selected,
    unselected (number of tokens), correct (selected tokens whose most likely
    class is right).
  """
  classes = jnp.maximum(masked.targets - num_special, 0)           # [B, M]
  log_norm = jax.nn.logsumexp(logits, axis=-1)
  chosen = jnp.take_along_axis(logits, classes[..., None], axis=-1)[..., 0]
  nats = log_norm - chosen
  is_right = logits.argmax(axis=-1) == classes
  return {
      "selected_loss": jnp.sum(nats, where=masked.is_selected),
      "unselected_loss": jnp.sum(nats, where=masked.is_unselected),
      "selected": masked.is_selected.sum().astype(jnp.float32),
      "unselected": masked.is_unselected.sum().astype(jnp.float32),
      "correct": jnp.sum(is_right, where=masked.is_selected).astype(jnp.float32),
  }


def combine(sums, masked_loss_weight):
  """w · mean over selected + (1 - w) · mean over unselected tokens, a float.

  Args:
    sums: name -> float, as `masked_cross_entropy` gives them (on the host).
    masked_loss_weight: w of BarcodeMAE (section 1.3); 1 = selected only.

  Returns:
    nats per token. An empty group counts nothing, where the public code gives
    NaN.
  """
  def mean(name):
    return sums[f"{name}_loss"] / max(sums[name], 1)

  return (masked_loss_weight * mean("selected")
          + (1 - masked_loss_weight) * mean("unselected"))
