"""Whole models: an encoder and what predicts from its features.

All have the encoder's parameters at params["encoder"], whatever they are trained for,
and those of the losses' own heads at params["heads_NAME"].
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
from flax.core import FrozenDict
from jaxtyping import Array, Bool, Float, Int

from dnajax.models import decoder, heads, layers, types


class Predictor(nn.Module):
  """An encoder, and heads that read its pooled features.

  Attributes:
    encoder: module of an encoder part.
    heads: {loss name: module called as (pooled, deterministic=)}.
    vocabulary: tokens.vocabulary.Vocabulary.
    dropout, dtype: of the encoder; those of what stands on it.
  """
  encoder: nn.Module
  heads: Mapping
  vocabulary: Any
  dropout: float
  dtype: str

  def encode(self, ids: Int[Array, "B L"], pad_mask: Bool[Array, "B L"], *,
             deterministic=True) -> Float[Array, "B L D"]:
    """Features of whole sequences, nothing masked, at positions 0..L-1.

    Args:
      ids: tokens.
      pad_mask: True = real token.
      deterministic: no dropout.

    Returns:
      Of the compute dtype.
    """
    return self.encoder(ids, pad_mask, deterministic=deterministic)

  def pooled(self, ids: Int[Array, "B L"], pad_mask: Bool[Array, "B L"]):
    """Features of whole sequences, {"mean": [B, D], "cls" where there is a [CLS]}."""
    return self._features(ids, pad_mask)[1]

  def label_logits(self, ids: Int[Array, "B L"], pad_mask: Bool[Array, "B L"]):
    """What every head makes of whole sequences, {loss name: as of `Outputs.labels`}."""
    return self._read(self.pooled(ids, pad_mask), deterministic=True)

  def _masked_features(self, masked, *, deterministic):
    return self._features(
        masked.encoder_ids, masked.is_attended, is_hidden=masked.is_hidden,
        positions=None if masked.is_in_place else masked.encoder_positions,
        deterministic=deterministic)

  def _features(self, ids, is_attended, **options):
    """(of every token [B, K, D], pooled {"mean": …, "cls": …}); options: of the encoder."""
    hidden = self.encoder(ids, is_attended, **options)
    # Some encoders have a faster way to their mean than through every token.
    if hasattr(self.encoder, "mean"):
      mean = self.encoder.mean(ids, is_attended, **options)
    else:
      mean = heads.masked_mean(hidden, is_attended)
    pooled = {"mean": mean}
    if self.vocabulary.add_cls:
      pooled["cls"] = hidden[:, 0]    # the first slot also among kept tokens only
    return hidden, pooled

  def _read(self, pooled, *, deterministic):
    return {name: head(pooled, deterministic=deterministic)
            for name, head in self.heads.items()}

  def _outputs(self, pooled, *, deterministic, logits=None, targets=None):
    """Outputs; targets: [B, M] token ids that the logits are about."""
    classes = None
    if targets is not None:  # special tokens are no classes: any will do
      classes = (targets - self.vocabulary.num_special).clip(0)
    return types.Outputs(logits=logits, classes=classes, pooled=pooled,
                         labels=self._read(pooled, deterministic=deterministic))


class MaskedLM(Predictor):
  """An encoder that sees the masked sequence, and a vocabulary head.

  BarcodeBERT (papers: section 3): head="linear", not tied. DNABERT and LOGO
  (7.1, 7.2, 5.2): head="transform", tie_embeddings=True, where the word vectors
  of the k-mers are also the map to their classes.

  The classes are the k-mers, the last num_classes ids. The public models also
  score the special tokens, which are never the answer; so the output bias of
  those ids is left out here, and, because no output depends on them, rows 1
  and up of the token-type table and the pooler.

  Parameters of a tied model with transform, post-norm, V ids, C classes, P
  positions, width D, N blocks of inner width F:
    words V·D, positions, type and norm (P+3)·D,
    blocks N·(4·(D² + D) + 2·D·F + F + D + 4·D), head D² + 3·D + C.
  k=6, V=4101, C=4096, P=512, published = ours + D (a type row) + 5 (biases):
    DNABERT, D=768 N=12 F=3072:
      3,149,568 + 395,520 + 12 · 7,087,872 + 596,224 = 89,195,776 (of 89.2 M)
    LOGO as in GeneMask, D=256 N=2 F=3072:
      1,049,856 + 131,840 + 2 · 1,840,384 + 70,400 = 4,932,864 (of 4.93 M)
    LOGO with its original F=1024:
      1,049,856 + 131,840 + 2 · 789,760 + 70,400 = 2,831,616 (of 2.83 M)

  Attributes:
    head: see `heads.VocabularyHead.kind`.
    tie_embeddings: the head's map to the classes is the word table.
  """
  head: str = "linear"
  tie_embeddings: bool = False

  def setup(self):
    self.to_classes = heads.VocabularyHead(
        self.vocabulary.num_classes, self.dropout, self.dtype, self.head, name="head")

  def __call__(self, inputs, *, deterministic=True):
    """types.Inputs with `masked` -> types.Outputs."""
    masked = inputs.masked
    if not masked.is_in_place:
      raise ValueError("masked_lm predicts at positions that the encoder sees, but this "
                       "corruption takes tokens out.")
    x, pooled = self._masked_features(masked, deterministic=deterministic)
    logits = self.to_classes(
        x, masked.scored_ids, deterministic=deterministic,
        class_rows=self._class_rows() if self.tie_embeddings else None)
    return self._outputs(pooled, deterministic=deterministic, logits=logits,
                         targets=masked.targets)

  def _class_rows(self):
    """Word vectors of the k-mers, [C, D]; the encoder has run before."""
    table = nn.unbox(self.encoder.get_variable("params", "word"))
    return table[self.vocabulary.num_special:]


class MaskedAutoencoder(Predictor):
  """BarcodeMAE (papers: sections 1.1 and 1.4).

  Encoder over the K slots of a Masked, with the tokens' original positions; a
  linear map to the decoder's width; encoder outputs put back at their places
  and a learned mask embedding at the absent ones; decoder with positions of
  its own; vocabulary head. Nothing is shared between encoder and decoder.

  Left out of the public model, because nothing reads it: the encoder's pooler,
  row 1 of both token-type tables, and all rows but one of the decoder's word
  table (that one is the mask embedding).

  Attributes:
    decoder_spec: encoders.transformer.Transformer, sizes of the decoder.
  """
  decoder_spec: Any = None

  def setup(self):
    self.project = layers.dense(self.decoder_spec.width, ("embed", None),
                                dtype=self.dtype, name=None)
    self.decoder = decoder.Decoder(self.decoder_spec)
    self.head = heads.VocabularyHead(self.vocabulary.num_classes, self.dropout, self.dtype)

  def __call__(self, inputs, *, deterministic=True):
    """types.Inputs with `masked` -> types.Outputs."""
    masked = inputs.masked
    hidden, pooled = self._masked_features(masked, deterministic=deterministic)
    x = nn.with_logical_constraint(self.project(hidden), ("batch", "length", None))
    x = self.decoder(x, masked, deterministic=deterministic)
    logits = self.head(x, masked.scored_ids, deterministic=deterministic)
    return self._outputs(pooled, deterministic=deterministic, logits=logits,
                         targets=masked.targets)


class CausalLM(Predictor):
  """A causal encoder, and a vocabulary head that says the token behind each.

  Predicted position m is token m+1, from tokens 0..m: M = L-1. The first token of a
  row is predicted by nothing, unless it is a k-mer behind [CLS].
  """

  def setup(self):
    self.head = heads.VocabularyHead(self.vocabulary.num_classes, self.dropout, self.dtype)

  def __call__(self, inputs, *, deterministic=True):
    """types.Inputs with `tokens` -> types.Outputs."""
    tokens = inputs.tokens
    x, pooled = self._features(tokens.ids, tokens.pad_mask, deterministic=deterministic)
    logits = self.head(x[:, :-1], deterministic=deterministic)
    return self._outputs(pooled, deterministic=deterministic, logits=logits,
                         targets=tokens.ids[:, 1:])


class Classifier(Predictor):
  """An encoder and the heads of its losses: fine-tuning."""

  def __call__(self, inputs, *, deterministic=True):
    """types.Inputs with `tokens` -> types.Outputs without logits of tokens."""
    tokens = inputs.tokens
    _, pooled = self._features(tokens.ids, tokens.pad_mask, deterministic=deterministic)
    return self._outputs(pooled, deterministic=deterministic)


def make(cls, encoder, tokenizer, label_heads, *, is_causal=False, **fields):
  """A model of one of the classes above.

  Args:
    cls: which.
    encoder: encoder part.
    tokenizer: tokens.tokenizer.Tokenizer.
    label_heads: {loss name: module, or None for a loss without parameters}.
    is_causal: no token sees one behind it.
    **fields: of the class itself.
  """
  options = {"is_causal": is_causal}
  if tokenizer.frames is not None:
    options["frames"] = dataclasses.replace(tokenizer.frames, is_causal=is_causal)
  return cls(
      encoder=encoder.module(tokenizer.vocabulary.size, **options),
      heads=FrozenDict({name: head for name, head in label_heads.items()
                        if head is not None}),
      vocabulary=tokenizer.vocabulary, dropout=encoder.dropout, dtype=encoder.dtype,
      **fields)
