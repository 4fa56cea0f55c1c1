"""What crosses between training and model."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from dnajax.masking import types as masking_types
from dnajax.models import heads


@struct.dataclass
class Inputs:
  """What a model is trained on; every leaf has B rows in front.

  Fields are arrays, or what stands for them (shapes, shardings).
  """
  masked: Any = None   # masking.types.Masked, for objectives that hide tokens
  tokens: Any = None   # tokens.kmers.Tokens, for the others
  bases: Any = None    # [B, bp] uint8, the rows as they are aligned
  labels: Any = struct.field(default_factory=dict)  # {column: [B] int32, -1 = no label}
  is_real: Any = None  # [B] bool, False in rows that only fill up a batch


@struct.dataclass
class Outputs:
  """What a model makes of Inputs. M predicted positions, C classes.

  All fields may be computed from; what no loss reads, the compiler leaves out.
  """
  logits: Any = None   # [B, M, C] float32; None where no token is predicted
  classes: Any = None  # [B, M] int32, the right class at each of them (any where a
  #                      position does not count)
  pooled: Any = struct.field(default_factory=dict)  # "mean" [B, D] float32, over what the
  #                      encoder saw; "cls" [B, D] where there is a [CLS]
  labels: Any = struct.field(default_factory=dict)  # {loss name: what its head says}, as
  #                      {column: logits [B, C] float32}

  # Kept, so that losses over the same positions share one softmax and its gradient.
  @functools.cached_property
  def nats(self) -> jax.Array:
    """Cross-entropy at every predicted position, [B, M] float32."""
    return heads.cross_entropy(self.logits, self.classes)

  @functools.cached_property
  def is_right(self) -> jax.Array:
    """Whether the most likely class is the right one, [B, M] bool."""
    return self.logits.argmax(axis=-1) == self.classes


def nothing_hidden(tokens):
  """The masking.types.Masked of Tokens that are all seen, in place; none is scored."""
  positions = jnp.broadcast_to(jnp.arange(tokens.ids.shape[1], dtype=jnp.int32),
                               tokens.ids.shape)
  nowhere = jnp.zeros(tokens.ids.shape, bool)
  return masking_types.Masked(
      encoder_ids=tokens.ids, encoder_positions=positions, is_attended=tokens.pad_mask,
      is_hidden=nowhere, is_absent=nowhere, restore_ids=positions,
      pad_mask=tokens.pad_mask, scored_ids=positions, targets=tokens.ids,
      is_selected=nowhere, is_unselected=nowhere, is_in_place=True)


def init_params(task, key):
  """Random parameters, leaves boxed with logical axis names.

  Args:
    task: has a module, its tokenizer and its objective.
    key: PRNG key.
  """
  tokens = task.tokenizer(jnp.zeros((1, task.tokenizer.length), jnp.uint8))
  # Parameters do not depend on what is hidden: no masking, no ranks, no slots.
  inputs = (Inputs(masked=nothing_hidden(tokens)) if task.objective.hides_tokens
            else Inputs(tokens=tokens))
  return task.module.init(key, inputs)["params"]
