"""What crosses from masking to model, and what decides the masking of an update."""

from typing import Any

import jax.numpy as jnp
from flax import struct

# Leaves are arrays, but shapes and shardings of arrays travel in the same records:
# hence `Any`, with what they are behind it.


@struct.dataclass
class Masked:
  """One masked minibatch. B rows, L positions, K encoder slots, M scored slots.

  The encoder works on K slots. With `is_in_place` K = L and slot i is position
  i; otherwise the kept tokens are packed to the left and `encoder_positions`
  says where each came from. Content of a slot that is not attended has no
  influence on anything.
  """
  encoder_ids: Any        # [B, K] int32, what the encoder embeds
  encoder_positions: Any  # [B, K] int32, original position of each slot
  is_attended: Any        # [B, K] bool; False: empty, padding or hidden
  is_hidden: Any          # [B, K] bool; word embedding set to zero
  is_absent: Any          # [B, L] bool; no encoder output, the decoder
  #                         puts its mask embedding there
  restore_ids: Any        # [B, L] int32, slot of position l (any slot
  #                         where is_absent)
  pad_mask: Any           # [B, L] bool, True = real token; the decoder
  #                         attends to these
  scored_ids: Any         # [B, M] int32, positions whose token is predicted
  targets: Any            # [B, M] int32, token ids before masking
  is_selected: Any        # [B, M] bool, scored because selected
  is_unselected: Any      # [B, M] bool, scored although not selected
  is_in_place: bool = struct.field(pytree_node=False)  # K = L, static under jit


@struct.dataclass
class Stage:
  """What the masking does in one update: traced scalars, so nothing is recompiled."""
  is_hard: Any      # bool, the hard selection of a curriculum instead of the easy one
  rate_factor: Any  # float32, times the chance of the selection
  step: Any         # int32, updates already made; phases follow it


@struct.dataclass
class Progress:
  """State of CM-GEMS, part of the train state."""
  switch_step: Any      # int32, updates done at the switch; -1 before it
  smallest_change: Any  # float32, so far; inf before the second evaluation
  num_evaluations: Any  # int32
  steps: Any            # [H] int32, the last H evaluations, newest last; -1
  perplexities: Any     # [H] float32                    where there is none


def first_stage():
  """The stage of an evaluation, whatever the step: easy, first phase, plain rate.

  Perplexities of different steps are comparable only under one masking.
  """
  return Stage(is_hard=jnp.bool_(False), rate_factor=jnp.float32(1), step=jnp.int32(0))
