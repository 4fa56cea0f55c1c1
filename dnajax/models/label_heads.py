"""From pooled features to labels: which one, or whether two sequences share one."""

import flax.linen as nn
import jax.numpy as jnp
from flax.core import FrozenDict
from jaxtyping import Array, Float

from dnajax.models import dropout as dropout_lib
from dnajax.models import layers


class LabelHeads(nn.Module):
  """A `LabelHead` for each of several columns of labels.

  Attributes:
    num_labels: {column: number of labels}.
    pooling, dropout, kind, scale: see `LabelHead`.
  """
  num_labels: FrozenDict
  pooling: str = "mean"
  dropout: float = 0.1
  kind: str = "linear"
  scale: float = 16.0

  @nn.compact
  def __call__(self, pooled, *, deterministic):
    """`Outputs.pooled` -> {column: logits [B, C] float32}."""
    return {column: LabelHead(number, self.pooling, self.dropout, self.kind, self.scale,
                              name=column)(pooled, deterministic=deterministic)
            for column, number in self.num_labels.items()}


class LabelHead(nn.Module):
  """One label per sequence.

  kind="linear": dropout and a linear map. Of the mean over the real tokens that is
  BarcodeBERT's and BarcodeMAE's (papers: section 8), whose code also averages over
  padding; of [CLS], a linear map with tanh comes first (BERT's pooler, which starts at
  random: no pretraining here has trained one), as in DNABERT and GUE (section 7.3).
  kind="norm_linear": LayerNorm, dropout, a linear map; BarcodeMAE+ (section 2).
  kind="cosine": dropout, then `scale` times the cosine of features and class vectors
  (NormFace, Wang et al. 2017), where a learned vector is first added to the features, so
  that a direction common to all of them can be taken away. The cosine has no other bias.

  Attributes:
    num_labels: C.
    pooling: which features, "mean" or "cls".
    dropout: rate, before the last map.
    kind: see above.
    scale: of the cosines.
  """
  num_labels: int
  pooling: str = "mean"
  dropout: float = 0.1
  kind: str = "linear"
  scale: float = 16.0

  @nn.compact
  def __call__(self, pooled, *, deterministic) -> Float[Array, "B C"]:
    """`Outputs.pooled` -> logits, float32."""
    x = pooled[self.pooling]                                       # [B, D]
    if self.kind == "linear" and self.pooling == "cls":
      x = nn.tanh(layers.dense(x.shape[-1], ("embed", None), dtype=x.dtype,
                               name="pooler")(x))
    elif self.kind == "norm_linear":
      x = layers.LayerNorm(name="norm")(x)
    x = dropout_lib.Dropout(self.dropout)(x, deterministic=deterministic)
    if self.kind == "cosine":
      return self.scale * self._cosines(x.astype(jnp.float32))
    return layers.dense(self.num_labels, ("embed", None), dtype="float32",
                        name="to_labels")(x)

  def _cosines(self, x):
    width = x.shape[-1]
    x += self.param("bias", layers.zeros("embed"), (width,))
    classes = self.param("classes", layers.kernel("embed", None), (width, self.num_labels))
    return layers.unit(x) @ layers.unit(classes, axis=0)           # [B, C]


class PairHead(nn.Module):
  """Whether two sequences are of one class: MLP of [a; b] (BarcodeMAE+, section 2).

  The first map of the MLP is cut into one for a and one for b, each applied to B rows
  and not to B² pairs. Holds B² · hidden numbers.

  Attributes:
    hidden: width between the two maps.
    pooling: which features, "mean" or "cls".
    dropout: rate, before the last map.
  """
  hidden: int = 256
  pooling: str = "mean"
  dropout: float = 0.1

  @nn.compact
  def __call__(self, pooled, *, deterministic) -> Float[Array, "B B"]:
    """`Outputs.pooled` -> logit of every ordered pair (row, column), float32."""
    x = pooled[self.pooling].astype(jnp.float32)                   # [B, D]
    of_a = layers.dense(self.hidden, ("embed", None), dtype="float32", name="first")(x)
    of_b = nn.Dense(self.hidden, use_bias=False, name="second",
                    kernel_init=layers.kernel("embed", None))(x)
    y = nn.relu(of_a[:, None] + of_b[None])                        # [B, B, hidden]
    y = dropout_lib.Dropout(self.dropout)(y, deterministic=deterministic)
    return layers.dense(1, (None, None), dtype="float32", name="to_logit")(y)[..., 0]
