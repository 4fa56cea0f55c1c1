"""An encoder and a classification head: fine-tuning."""

import flax.linen as nn

from dnajax.models import dropout as dropout_lib
from dnajax.models import encoder as encoder_lib
from dnajax.models import layers

POOLINGS = ("cls", "mean")


class Classifier(encoder_lib.WithEncoder):
  """One label per sequence.

  pooling="cls": the output at [CLS], a linear map with tanh (BERT's pooler, which
  starts at random: no pretraining here has trained one), dropout, a linear map to
  the classes; DNABERT and GUE (papers: section 7.3). pooling="mean": the mean over
  the real tokens, dropout, a linear map; BarcodeBERT and BarcodeMAE (section 8),
  whose code also averages over padding.

  Attributes:
    num_classes: C.
    pooling: see above.
    head_dropout: rate, before the last map.
    The others as in `layers.Spec` and `encoder.Encoder`.
  """
  vocab_size: int
  num_classes: int
  max_positions: int
  width: int
  depth: int
  num_heads: int
  mlp_width: int
  pooling: str = "cls"
  head_dropout: float = 0.1
  dropout: float = 0.1
  norm: str = "post"
  dtype: str = "float32"
  attention: str = "explicit"
  remat: str = "none"
  scan_unroll: int = 1

  def setup(self):
    self.encoder = encoder_lib.Encoder(
        layers.spec_of(self), self.vocab_size, self.max_positions)
    if self.pooling == "cls":
      self.pooler = layers.dense(self.width, ("embed", None), dtype=self.dtype, name=None)
    self.drop = dropout_lib.Dropout(self.head_dropout)
    self.to_labels = layers.dense(self.num_classes, ("embed", None), dtype="float32",
                                  name=None)

  def __call__(self, ids, pad_mask, *, deterministic=True):
    """[B, L] int32, [B, L] bool (True = real token) -> logits [B, C] float32."""
    hidden = self.encoder(ids, pad_mask, deterministic=deterministic)
    if self.pooling == "cls":
      pooled = nn.tanh(self.pooler(hidden[:, :1]))                 # [B, 1, D]
    else:
      pooled = encoder_lib.masked_mean(hidden, pad_mask)[:, None]
    pooled = self.drop(pooled, deterministic=deterministic)
    return self.to_labels(pooled)[:, 0].astype("float32")
