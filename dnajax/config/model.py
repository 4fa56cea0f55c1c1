"""What a model is made of: enough to build it again, without its training config."""

import dataclasses
import functools
from typing import Any

from dnajax.config import build
from dnajax.models import types
from dnajax.shell import parts
from dnajax.tokens import tokenizer as tokenizer_lib


@dataclasses.dataclass(frozen=True)
class ModelSpec:
  """Written into every checkpoint's meta as "model"; `from_dict` reads it back."""
  tokens: tokenizer_lib.TokenSettings
  max_length: int                      # base pairs per row
  encoder: Any = parts.one("encoder", "transformer")
  objective: Any = parts.one("objective", "masked_lm")
  losses: dict = parts.table("loss")
  num_labels: dict[str, int] = dataclasses.field(default_factory=dict)  # by label column

  @functools.cached_property
  def tokenizer(self):
    """tokens.tokenizer.Tokenizer."""
    return tokenizer_lib.make(self.tokens, self.max_length)

  @functools.cached_property
  def module(self):
    """The Linen module; made once."""
    heads = {name: loss.module(self.num_labels) for name, loss in self.losses.items()}
    return self.objective.module(self.encoder, self.tokenizer, heads)

  def init_params(self, key):
    """Random parameters, leaves boxed with logical axis names."""
    return types.init_params(self, key)

  def to_dict(self):
    """JSON-serialisable."""
    return build.to_dict(self)


def from_dict(values):
  """The ModelSpec that `to_dict` wrote."""
  return build.build(ModelSpec, values, "model")
