"""What crosses from masking to model."""

import jax
from flax import struct


@struct.dataclass
class Masked:
  """One masked minibatch. B rows, L positions, K encoder slots, M scored slots.

  The encoder works on K slots. With `is_in_place` K = L and slot i is position
  i; otherwise the kept tokens are packed to the left and `encoder_positions`
  says where each came from. Content of a slot that is not attended has no
  influence on anything.
  """
  encoder_ids: jax.Array        # [B, K] int32, what the encoder embeds
  encoder_positions: jax.Array  # [B, K] int32, original position of each slot
  is_attended: jax.Array        # [B, K] bool; False: empty, padding or hidden
  is_hidden: jax.Array          # [B, K] bool; word embedding set to zero
  is_absent: jax.Array          # [B, L] bool; no encoder output, the decoder
  #                               puts its mask embedding there
  restore_ids: jax.Array        # [B, L] int32, slot of position l (any slot
  #                               where is_absent)
  pad_mask: jax.Array           # [B, L] bool, True = real token; the decoder
  #                               attends to these
  scored_ids: jax.Array         # [B, M] int32, positions whose token is predicted
  targets: jax.Array            # [B, M] int32, token ids before masking
  is_selected: jax.Array        # [B, M] bool, scored because selected
  is_unselected: jax.Array      # [B, M] bool, scored although not selected
  is_in_place: bool = struct.field(pytree_node=False)  # K = L, static under jit
