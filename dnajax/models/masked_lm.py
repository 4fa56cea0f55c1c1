"""Masked language model: an encoder that sees the masked sequence."""

import flax.linen as nn
import jax

from dnajax.models import dropout as dropout_lib
from dnajax.models import encoder as encoder_lib
from dnajax.models import layers

HEADS = ("linear", "transform")


class Head(nn.Module):
  """From features to classes, at the scored positions only.

  Attributes:
    num_classes: C.
    dropout: rate before a linear head; a transform has none, as in BERT.
    dtype: of the products; logits are float32.
    kind: "linear", one linear map to the classes; or "transform", before it a
      linear map D -> D, GELU and LayerNorm (BERT, DNABERT).
  """
  num_classes: int
  dropout: float
  dtype: str
  kind: str = "linear"

  @nn.compact
  def __call__(self, x, scored_ids, *, deterministic, class_rows=None):
    """Logits of the k-mer classes.

    Args:
      x: [B, L, D].
      scored_ids: [B, M] int, positions.
      deterministic: no dropout.
      class_rows: [C, D], the map to the classes where it is shared with
        another layer (only a bias is then learned here); None for a map of
        the head's own.

    Returns:
      [B, M, C] float32.
    """
    x = layers.take_slots(x, scored_ids)                           # [B, M, D]
    if self.kind == "transform":
      x = layers.dense(x.shape[-1], ("embed", None), dtype=self.dtype,
                       name="transform")(x)
      x = layers.LayerNorm(self.dtype, name="norm")(layers.gelu(x))
    else:
      x = dropout_lib.Dropout(self.dropout)(x, deterministic=deterministic)
    if class_rows is None:
      logits = layers.dense(self.num_classes, ("embed", "vocab"), dtype=self.dtype,
                            name="out")(x)
    else:
      bias = self.param("bias", layers.zeros("vocab"), (self.num_classes,))
      logits = _times_rows(x, class_rows.astype(self.dtype))
      logits += bias.astype(self.dtype)
    logits = nn.with_logical_constraint(logits, ("batch", "length", "vocab"))
    return logits.astype("float32")


def _times_rows(x, rows):
  """[B, M, D], [C, D] -> [B, M, C], as one product of two matrices."""
  contract_last = (((1,), (1,)), ((), ()))
  y = jax.lax.dot_general(x.reshape(-1, x.shape[-1]), rows, contract_last)
  return y.reshape(*x.shape[:-1], -1)


class MaskedLM(encoder_lib.WithEncoder):
  """An encoder and a vocabulary head (BarcodeBERT, DNABERT, LOGO).

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
    head: see `Head.kind`.
    tie_embeddings: the head's map to the classes is the word table.
    The others as in `layers.Spec` and `encoder.Encoder`.
  """
  vocab_size: int
  num_classes: int
  max_positions: int
  width: int
  depth: int
  num_heads: int
  mlp_width: int
  dropout: float = 0.1
  norm: str = "post"
  dtype: str = "float32"
  attention: str = "explicit"
  remat: str = "none"
  scan_unroll: int = 1
  head: str = "linear"
  tie_embeddings: bool = False

  def setup(self):
    if self.head not in HEADS:
      raise ValueError(f"model.head={self.head!r} is not known. "
                       f"Known: {', '.join(HEADS)}.")
    self.encoder = encoder_lib.Encoder(
        layers.spec_of(self), self.vocab_size, self.max_positions)
    self.to_classes = Head(self.num_classes, self.dropout, self.dtype, self.head,
                           name="head")

  def __call__(self, masked, *, deterministic=True):
    """Masked -> logits [B, M, num_classes] float32 at the scored positions."""
    if not masked.is_in_place:
      raise ValueError(
          "masked_lm predicts at positions the encoder sees, but this corruption "
          "takes tokens out. Use masking.corruption 'replace' or model.name 'mae'.")
    x = encoder_lib.encode_masked(self.encoder, masked, deterministic=deterministic)
    class_rows = self._class_rows() if self.tie_embeddings else None
    return self.to_classes(x, masked.scored_ids, deterministic=deterministic,
                           class_rows=class_rows)

  def _class_rows(self):
    """Word vectors of the k-mers, [C, D]; the encoder has run before."""
    table = nn.unbox(self.encoder.get_variable("params", "word"))
    return table[self.vocab_size - self.num_classes:]
