"""What published weights are said to be, held against what they are.

Weights do not show which id stands for which k-mer, how far apart k-mers begin, how many
heads there are, or which GELU was meant: a wrong guess gives vectors that look like any
others. So every such thing is said by a file or a flag, what is said twice must agree, and
what nobody says is asked for.
"""

import dataclasses
from typing import Any

from dnajax.models.encoders import transformer
from dnajax.shell import errors
from dnajax.tokens import kmers
from dnajax.tokens import tokenizer as tokenizer_lib
from dnajax.tokens import vocabulary as vocabulary_lib

# What the encoder computes, and the words of BertConfig for it; all are its defaults.
_FIXED = {"model_type": ("bert",), "hidden_act": ("gelu", "gelu_python"),
          "layer_norm_eps": (1e-12,), "position_embedding_type": ("absolute",),
          "is_decoder": (False,), "add_cross_attention": (False,)}
_ASKED_WITHOUT_CONFIG = ("num_heads", "hidden_act", "layer_norm_eps")


@dataclasses.dataclass(frozen=True)
class Claims:
  """What somebody says; None where nobody does. Keys as the flags of dnajax.convert."""
  vocabulary: str | None = None
  k: int | None = None
  stride: int | None = None
  n_policy: str | None = None
  add_cls: bool | None = None
  add_sep: bool | None = None
  max_length: int | None = None
  num_heads: int | None = None
  hidden_act: str | None = None
  layer_norm_eps: float | None = None


@dataclasses.dataclass(frozen=True)
class Resolved:
  """What the weights are taken for."""
  tokens: Any       # tokens.tokenizer.TokenSettings
  max_length: int   # base pairs of a row
  encoder: Any      # encoders.transformer.Transformer
  lines: list       # what to tell people of it

  @property
  def tokenizer(self):
    """tokens.tokenizer.Tokenizer."""
    return tokenizer_lib.make(self.tokens, self.max_length)


def resolve(source, encoder, claims):
  """Holds claims and files against the encoder's arrays.

  Args:
    source: sources.Source.
    encoder: its parameters, see `models.hugging_face.from_hugging_face`.
    claims: Claims, of flags.

  Returns:
    Resolved.

  Raises:
    UserError: something is said by nobody, or contradicts the arrays or another file; says
      which flag would say it.
  """
  _check_config(source, encoder, claims)
  claims = _joined(claims, source)
  vocabulary, where = _vocabulary(source, len(encoder["word"]), claims)
  stride = _required(source, claims, "stride", "BarcodeBERT: as k; DNABERT: 1")
  framed = {"add_cls": vocabulary.add_cls, "add_sep": False}
  for key, special in (("add_cls", vocabulary.cls_id), ("add_sep", vocabulary.sep_id)):
    if special is not None and not framed[key]:
      framed[key] = _required(source, claims, key, "DNABERT's own tokenizer: true")
    elif claims.add_sep and special is None:
      raise errors.UserError(f"--add_sep: the vocabulary {vocabulary.layout!r} has no [SEP].")
  tokens = tokenizer_lib.TokenSettings(
      vocabulary=vocabulary.layout, k=vocabulary.k, stride=stride,
      n_policy=vocabulary.n_policy, **framed)
  part = _encoder(source, encoder, claims)
  max_length, why = _max_length(source, tokens, part.max_positions, claims.max_length)
  return Resolved(tokens, max_length, part, [
      f"tokens      {vocabulary.k}-mers every {stride} bases, ids in the order of "
      f"{vocabulary.layout} ({where}), [CLS] {'yes' if framed['add_cls'] else 'no'}, [SEP] "
      f"{'yes' if framed['add_sep'] else 'no'}, k-mers with N: {tokens.n_policy}",
      f"encoder     {part.depth} blocks of width {part.width}, {part.num_heads} heads, inner "
      f"width {part.mlp_width}, {part.max_positions} positions",
      f"sequences   are read to {max_length} bp ({why})"])


def _joined(claims, source):
  """Flags, and what the files say; both must agree."""
  known = [field.name for field in dataclasses.fields(Claims)]
  made = {}
  for key in known:
    flag, said = getattr(claims, key), source.said.get(key)
    if key != "max_length" and None not in (flag, said) and flag != said:
      raise errors.UserError(f"--{key}={flag}, but the files of {source.path} say {said!r}.")
    made[key] = said if flag is None else flag
  return Claims(**made)


def _required(source, claims, key, examples):
  value = getattr(claims, key)
  if value is None:
    raise errors.UserError(
        f"{source.path}: no file says --{key}, and the weights do not show it; give it "
        f"({examples}).")
  return value


def _check_config(source, encoder, claims):
  """What BertConfig says, or flags say in its place, against the arrays and the encoder."""
  config = source.config
  if not config:
    missing = [f"--{key}" for key in _ASKED_WITHOUT_CONFIG if getattr(claims, key) is None]
    if missing:
      raise errors.UserError(
          f"{source.path}: no config.json lies beside it, and the weights do not show "
          f"{', '.join(missing)}; give them, or the folder with its config.json.")
  up = encoder["blocks"]["layers"]["feed_forward"]["up"]["kernel"]
  found = {"vocab_size": len(encoder["word"]), "hidden_size": up.shape[1],
           "num_hidden_layers": up.shape[0], "intermediate_size": up.shape[2],
           "max_position_embeddings": len(encoder["inputs"]["position"])}
  for key, size in found.items():
    if config.get(key, size) != size:
      raise errors.UserError(f"{source.path}: config.json says {key}={config[key]}, the "
                             f"tensors have {size}.")
  for key, allowed in _FIXED.items():
    said = config.get(key, allowed[0] if config else None)
    flag = getattr(claims, key, None)
    if None not in (said, flag) and said != flag:
      raise errors.UserError(f"--{key}={flag}, but {source.path} says {said!r}.")
    value = flag if said is None else said
    if value is not None and value not in allowed:
      raise errors.UserError(
          f"{source.path}: {key}={value!r}, but the encoder here computes {allowed[0]!r}: its "
          "vectors would not be those of the published model, so it is not converted.")


def _encoder(source, encoder, claims):
  up = encoder["blocks"]["layers"]["feed_forward"]["up"]["kernel"]
  said = source.config.get("num_attention_heads", 12 if source.config else None)
  if None not in (said, claims.num_heads) and said != claims.num_heads:
    raise errors.UserError(f"--num_heads={claims.num_heads}, but {source.path} says {said}.")
  num_heads = said or claims.num_heads
  if num_heads < 1 or up.shape[1] % num_heads:
    raise errors.UserError(f"{source.path}: {num_heads} heads do not divide the width "
                           f"{up.shape[1]} of the tensors.")
  return transformer.Transformer(
      width=up.shape[1], depth=up.shape[0], num_heads=num_heads, mlp_width=up.shape[2],
      max_positions=len(encoder["inputs"]["position"]), norm="post",
      dropout=float(source.config.get("hidden_dropout_prob", 0.1)))


def _max_length(source, tokens, num_positions, said):
  specials = tokens.add_cls + tokens.add_sep
  most = (num_positions - specials - 1) * tokens.stride + tokens.k
  if said is None:
    return most, f"what {num_positions} positions hold; --max_length says less"
  if kmers.num_tokens(said, k=tokens.k, stride=tokens.stride) + specials > num_positions:
    raise errors.UserError(f"{source.path}: --max_length={said} is more than its "
                           f"{num_positions} positions hold, {most} bp.")
  if said < tokens.k:
    raise errors.UserError(f"--max_length={said} is below k={tokens.k}.")
  return said, "as said"


def _vocabulary(source, size, claims):
  """(Vocabulary, how it is known) of a word table with `size` rows."""
  if source.names is not None and len(source.names) != size:
    raise errors.UserError(f"{source.path}: the word table has {size} rows, the vocabulary "
                           f"beside it {len(source.names)} entries.")
  if source.names is None and claims.vocabulary is None:
    raise errors.UserError(
        f"{source.path}: no vocab.txt or tokenizer.json says which id is which k-mer; give "
        f"--vocabulary ({', '.join(vocabulary_lib.LAYOUTS)}).")
  fitting = [one for one in _of_size(size) if _agrees(one, claims)]
  if not fitting:
    asked = ", ".join(f"--{key}={value}" for key in ("vocabulary", "k", "n_policy")
                      if (value := getattr(claims, key)) is not None)
    raise errors.UserError(
        f"{source.path}: a word table of {size} rows is that of no known vocabulary"
        f"{' with ' + asked if asked else ''}; one of k-mers has 4^k rows and its special "
        "tokens (also with N: 5^k).")
  if source.names is not None:
    same = [one for one in fitting if _first_difference(one, source.names) is None]
    if not same:
      one = fitting[0]
      i = _first_difference(one, source.names)
      raise errors.UserError(
          f"{source.path}: its vocabulary has {source.names[i]!r} as id {i}, that of "
          f"{one.layout!r} (k={one.k}) {one.names()[i]!r}: not the same order of k-mers.")
    return same[0], "as its files list them"
  if len(fitting) > 1:
    raise errors.UserError(f"{source.path}: a word table of {size} rows fits several "
                           "vocabularies; give --k, --n_policy and --add_cls.")
  return fitting[0], "as said"


def _of_size(size):
  for layout in vocabulary_lib.LAYOUTS:
    is_barcodebert = layout == "barcodebert"
    for n_policy in vocabulary_lib.N_POLICIES if is_barcodebert else ("unk",):
      for k in range(1, 9):
        # Only there [CLS] takes an id of its own when it is used.
        for add_cls in (False, True) if is_barcodebert else (False,):
          one = vocabulary_lib.Vocabulary(k, n_policy, add_cls, layout)
          if one.size == size:
            yield one


def _agrees(one, claims):
  said = {"vocabulary": one.layout, "k": one.k, "n_policy": one.n_policy}
  if one.layout == "barcodebert":
    said["add_cls"] = one.add_cls
  return all(getattr(claims, key) in (None, value) for key, value in said.items())


def _first_difference(vocabulary, names):
  """First id whose text differs; brackets and case of special tokens do not count."""
  plain = lambda i, name: (name.strip("[]<>").lower() if i < vocabulary.num_special else name)
  return next((i for i, (a, b) in enumerate(zip(vocabulary.names(), names, strict=True))
               if plain(i, a) != plain(i, b)), None)
