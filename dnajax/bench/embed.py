"""Embedding: sequences per second beside one at a time, beside torch, and the matmul rate."""

import importlib.util

import jax
import numpy as np

from dnajax.bench import timing
from dnajax.config import plan as plan_lib
from dnajax.data import random_split
from dnajax.inference import buckets, encode
from dnajax.inference import embedder as embedder_lib
from dnajax.models import hugging_face
from dnajax.tokens import bases as base_codes
from dnajax.workdir import load

_SHORT = 150              # base pairs of a short read
_FLOPS = 1e11             # that a measurement of ours is about
_NUM_ONE_BY_ONE = 8       # sequences of the loop


def measure(values, *, rounds):
  """Times `Embedder.embed` with the encoder of a config, random parameters, random bases.

  The references are: one sequence at a time, its row fetched before the next one begins, as
  the public code does, compiled here, which that is not; where torch and transformers are
  installed and the encoder is a BERT, a `BertModel` with the same parameters, batched and one
  at a time (what the public code runs), in inference mode with as many threads as torch takes,
  which is given token ids; and the matmul rate, as of `train`.

  Args:
    values: of a config.
    rounds: measurements of each figure.

  Returns:
    dict of figures; sequences/s, GFLOP/s, ratios.
  """
  plan = plan_lib.make(values, split=random_split.RandomSplit())
  tokenizer, encoder = plan.tokenizer, plan.model.encoder
  trained = load.Trained(step=0, model=plan.model, params=plan.initial_params(),
                         meta={**plan.meta, "cleaning": {}}, is_best=False)
  ours = embedder_lib.Embedder(trained, mesh=encode.local_mesh())
  flops_row = tokenizer.num_tokens * encoder.flops_per_token(tokenizer.num_tokens)
  num_rows = encode.default_rows(plan.model)
  num = num_rows * max(2, round(min(_FLOPS / max(flops_row, 1e6), 2048) / num_rows))
  batches = buckets.make(tokenizer, num_rows)
  short_rows = next(rows for length, rows in zip(
      batches.lengths, batches.num_rows, strict=True) if length >= _SHORT)
  whole, short = _texts(num, tokenizer.length), _texts(
      short_rows * max(2, num // short_rows), _SHORT)
  calls = {"embed": lambda: ours.embed(whole), "embed, short": lambda: ours.embed(short),
           "loop": _loop(trained, whole[:_NUM_ONE_BY_ONE])}
  numbers = {"embed": num, "embed, short": len(short), "loop": min(num, _NUM_ONE_BY_ONE)}
  if _is_bert(trained) and _has_torch():
    for size, texts in {num_rows: whole, 64: whole, 1: whole[:_NUM_ONE_BY_ONE]}.items():
      calls[f"torch {size}"] = _torch(trained, texts, size)
      numbers[f"torch {size}"] = len(texts)
  side = 2048 if jax.default_backend() == "cpu" else 4096
  matmul_flops = {}
  for name, shape in {"square": (side, side, side), "feed-forward": (
      num_rows * tokenizer.num_tokens, encoder.width,
      getattr(encoder, "mlp_width", encoder.width))}.items():
    repeats = max(1, round(2e10 / (2 * np.prod(shape, dtype=float))))
    calls[name], matmul_flops[name] = timing.matmul(*shape, encoder.dtype, repeats=repeats)
  seconds = timing.interleaved(calls, rounds=rounds)

  rates = {name: number / seconds[name] for name, number in numbers.items()}
  ceiling = max(flops / seconds[name] for name, flops in matmul_flops.items())
  ceiling *= jax.local_device_count()
  figures = {"device": f"{jax.local_device_count()} × {jax.devices()[0].device_kind}",
             "dtype": encoder.dtype, "tokens per sequence": tokenizer.num_tokens,
             "rows of a batch": num_rows, "matmul GFLOP/s": ceiling / 1e9,
             f"sequences/s, {tokenizer.length} bp": rates["embed"],
             f"sequences/s, {_SHORT} bp": rates["embed, short"],
             "  ratio": rates["embed, short"] / rates["embed"],
             "share of the matmul rate": rates["embed"] * flops_row / ceiling,
             "one by one, compiled: sequences/s": rates["loop"],
             "ratio to one by one, compiled": rates["embed"] / rates["loop"]}
  of_torch = {int(name.split()[1]): rate for name, rate in rates.items() if "torch" in name}
  if of_torch:
    figures |= {f"transformers, {size} at a time: sequences/s": rate
                for size, rate in of_torch.items()}
    figures |= {"ratio to the best of them": rates["embed"] / max(of_torch.values()),
                "ratio to 1 at a time": rates["embed"] / of_torch[1]}
  return figures


def _texts(number, length):
  letters = np.random.default_rng(0).integers(0, 4, (number, length))
  return ["".join(row) for row in np.array(list(base_codes.ALPHABET))[letters]]


def _loop(trained, texts):
  embed_fn = encode.make_embed_fn(trained.module, trained.tokenizer)
  rows = [base_codes.encode_batch([text], trained.tokenizer.length) for text in texts]
  return lambda: np.concatenate(
      [jax.device_get(embed_fn(trained.params, row)[0]) for row in rows])


def _has_torch():
  return all(importlib.util.find_spec(name) for name in ("torch", "transformers"))


def _is_bert(trained):
  encoder, tokenizer = trained.model.encoder, trained.tokenizer
  return (getattr(encoder, "norm", "") == "post" and tokenizer.frames is None
          and jax.default_backend() == "cpu")


def _torch(trained, texts, size):
  """A call that embeds texts by transformers, `size` at a time."""
  import torch
  import transformers
  config = hugging_face.hugging_face_config(
      trained.params["encoder"], num_heads=trained.model.encoder.num_heads)
  model = transformers.BertModel(
      transformers.BertConfig(**config), add_pooling_layer=False).eval()
  model.load_state_dict({name: torch.tensor(x) for name, x in
                         hugging_face.to_hugging_face(trained.params["encoder"]).items()})
  tokens = trained.tokenizer(base_codes.encode_batch(texts, trained.tokenizer.length))
  ids, mask = (torch.tensor(np.asarray(x)).long() for x in (tokens.ids, tokens.pad_mask))

  def call():
    out = []
    with torch.inference_mode():
      for i in range(0, len(ids), size):
        hidden = model(input_ids=ids[i:i + size],
                       attention_mask=mask[i:i + size]).last_hidden_state
        attended = mask[i:i + size, :, None]
        out.append(((hidden * attended).sum(1) / attended.sum(1)).numpy())
    return np.concatenate(out)

  return call
