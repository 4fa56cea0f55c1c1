"""BERT written out in float64, by the names of its tensors in transformers."""

import math

import numpy as np

_erf = np.vectorize(math.erf)


def linear(t, name, x):
  return x @ np.asarray(t[name + ".weight"], np.float64).T + t[name + ".bias"]


def norm(t, name, x):
  x = x - x.mean(-1, keepdims=True)
  x = x / np.sqrt(np.square(x).mean(-1, keepdims=True) + 1e-12)
  return x * t[name + ".weight"] + t[name + ".bias"]


def gelu(x):
  return x * 0.5 * (1 + _erf(x / math.sqrt(2)))


def embed(t, words, positions):
  """Word vectors [L, D] at places [L] -> what the first layer sees."""
  x = words + np.asarray(t["embeddings.position_embeddings.weight"], np.float64)[positions]
  return norm(t, "embeddings.LayerNorm", x + t["embeddings.token_type_embeddings.weight"][0])


def layers(t, x, is_attended, *, num_heads):
  """[L, D], [L] bool -> the output of every layer, list of [L, D]."""
  out, depth = [], 1 + max(int(name.split(".")[2]) for name in t if ".layer." in name)
  size = x.shape[1] // num_heads
  for i in range(depth):
    layer = f"encoder.layer.{i}."
    q, k, v = (linear(t, layer + f"attention.self.{name}", x)
               for name in ("query", "key", "value"))
    context = np.zeros_like(x)
    for head in range(num_heads):
      part = slice(head * size, (head + 1) * size)
      scores = q[:, part] @ k[:, part].T / math.sqrt(size)
      scores = np.where(is_attended, scores, -np.inf)
      p = np.exp(scores - scores.max(-1, keepdims=True))
      context[:, part] = p / p.sum(-1, keepdims=True) @ v[:, part]
    x = norm(t, layer + "attention.output.LayerNorm",
             x + linear(t, layer + "attention.output.dense", context))
    inner = gelu(linear(t, layer + "intermediate.dense", x))
    x = norm(t, layer + "output.LayerNorm", x + linear(t, layer + "output.dense", inner))
    out.append(x)
  return out


def words(t, ids):
  return np.asarray(t["embeddings.word_embeddings.weight"], np.float64)[ids]
