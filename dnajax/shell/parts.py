"""Parts: frozen dataclasses whose fields are the keys of a config.

A selection, a loss, an encoder, an evaluator, a section of the config: each is one class
in one file. Its fields are its keys with types and defaults, its comments their meaning.
It may have

  check(setup)   yields (key, what its value must be) for each wrong value; `setup` is a
                 `Setup`, all that was asked for beside it.

`config.build` makes parts from a config, `config.registry` names them; neither is
imported here, nor by any part.
"""

import dataclasses
import re
from typing import Any


@dataclasses.dataclass(frozen=True)
class Setup:
  """What `check` may look at besides the part itself; None where a run has none."""
  tokenizer: Any = None    # tokens.tokenizer.Tokenizer
  encoder: Any = None      # part
  objective: Any = None    # part
  masking: Any = None      # masking.settings.Masking
  losses: Any = None       # {name: part}
  evals: Any = None        # {name: part}
  batch_size: int = 0
  accumulate_steps: int = 1
  total_steps: int = 0


def one(kind, name):
  """A field that holds a part of the registry `kind`; `name`: which one by default."""
  return dataclasses.field(default=Default(name), metadata={"part": kind})


def table(kind):
  """A field that holds {any name: part of the registry `kind`}; empty by default."""
  return dataclasses.field(default_factory=dict, metadata={"table": kind})


@dataclasses.dataclass(frozen=True)
class Default:
  """Stands for the part of that name with its defaults, until `config.build` makes it."""
  name: str


def in_words(part):
  """A part's class as configs write names: KmerSpan is kmer_span."""
  return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(part).__name__).lower()


def one_of(known):
  """What a value must be, in words: 'a', 'b' or 'c'."""
  *first, last = map(repr, known)
  return f"{', '.join(first)} or {last}" if first else last


def increases(numbers):
  """Whether steps are positive and increase."""
  return list(numbers) == sorted(set(numbers)) and all(number > 0 for number in numbers)
