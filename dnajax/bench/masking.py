"""Maskings: rows per second of each selection and corruption beside a plain loop."""

import functools
import time

import jax
import jax.numpy as jnp
import numpy as np

from dnajax.bench import timing
from dnajax.config import build
from dnajax.masking import bound, settings
from dnajax.tokens import tokenizer

NUM_ROWS, NUM_TOKENS, _K = 256, 512, 6
_NUM_REFERENCE_ROWS = 64
_SPAN, _REACH = (0, -2, -1, 1, 2, 3), range(-5, 6)
_SELECTIONS = {
    "uniform": dict(name="uniform", ratio=.15),
    "uniform, exact count": dict(name="uniform", ratio=.15, count="exact"),
    "kmer_span": dict(name="kmer_span", probability=.025),
    "random_window": dict(name="random_window", probability=.025, sizes=(6, 8, 10, 12, 14)),
    "gene_mask": dict(name="gene_mask", probability=.0176),
    "global_pmi": dict(name="global_pmi", probability=.0136)}
_CORRUPTIONS = {"replace": dict(name="replace", mask_share=.8, random_share=.1),
                "hide": dict(name="hide"), "drop": dict(name="drop")}


def measure(*, rounds):
  """Times every selection alone, and with the corruptions.

  Rows are overlapping 6-mers of random DNA between [CLS] and [SEP], ranks a
  random order of the k-mers. The reference makes the same selections row by row
  with NumPy and Python, as the published implementations do.

  Args:
    rounds: measurements of each figure.

  Returns:
    dict of figures in rows per second.
  """
  tokenize = tokenizer.make(
      tokenizer.TokenSettings(vocabulary="dnabert", k=_K, stride=1, add_cls=True, add_sep=True),
      NUM_TOKENS - 2 + _K - 1)
  vocab = tokenize.vocabulary
  bases = jax.random.randint(
      jax.random.key(0), (NUM_ROWS, tokenize.length), 0, 4).astype(jnp.uint8)
  tokens = tokenize(bases)
  order = np.random.default_rng(0).permutation(4**_K) + 1
  ranks = np.concatenate([np.zeros(vocab.num_special), order]).astype(np.int32)

  def make(selection, corruption):
    values = dict(selection=selection, corruption=corruption, num_kept=464, num_scored=160)
    return bound.bind(build.build(settings.Masking, values, "masking"), tokenize,
                      ranks=ranks, score_unselected=False)

  calls = {}
  for name, selection in _SELECTIONS.items():
    one = make(selection, _CORRUPTIONS["replace"])
    calls[name] = jax.jit(lambda key, tokens, one=one: one.select(
        key, tokens, one.first_stage()))
  for name in ("uniform", "gene_mask", "global_pmi"):
    for kind, corruption in _CORRUPTIONS.items():
      one = make(_SELECTIONS[name], corruption)
      calls[f"{name} + {kind}"] = jax.jit(lambda key, tokens, one=one: one(
          key, tokens, one.first_stage())[0])
  seconds = timing.interleaved(
      {name: functools.partial(call, jax.random.key(1), tokens)
       for name, call in calls.items()}, rounds=rounds)
  figures = {"device": jax.devices()[0].device_kind, "rows": NUM_ROWS,
             "tokens per row": NUM_TOKENS}
  figures |= {f"{name} (rows/s)": NUM_ROWS / s for name, s in seconds.items()}
  loops = {"kmer_span": _loop_span, "gene_mask": _loop_gene_mask,
           "global_pmi": _loop_global_pmi}
  for name, loop in loops.items():
    rate = _reference_rate(loop, np.asarray(tokens.ids), np.asarray(tokens.is_maskable),
                           ranks)
    figures[f"reference loop: {name} (rows/s)"] = rate
    figures[f"{name}: ratio to the loop"] = figures[f"{name} (rows/s)"] / rate
  return figures


def _reference_rate(loop, ids, is_maskable, ranks):
  rng, num_rows = np.random.default_rng(0), _NUM_REFERENCE_ROWS
  before = time.perf_counter()
  for row, may in zip(ids[:num_rows], is_maskable[:num_rows], strict=True):
    loop(rng, ranks[row], may)
  return num_rows / (time.perf_counter() - before)


def _loop_span(rng, rank, may):
  del rank
  out = np.zeros(len(may), bool)
  for c in np.flatnonzero((rng.random(len(may)) < .025) & may):
    _set(out, c, _SPAN, may)
  return out


def _loop_gene_mask(rng, rank, may):
  out, best = np.zeros(len(may), bool), []
  for c in np.flatnonzero((rng.random(len(may)) < .0176) & may):
    _set(out, c, _SPAN, may)
    best.append(min((c + o for o in _SPAN if 0 <= c + o < len(may) and may[c + o]),
                    key=lambda i: rank[i]))
  num_best = -(-len(best) // 2)
  best.sort(key=lambda i: rank[i])
  for b in best[:num_best] if num_best >= 5 else best:
    _set(out, b, _REACH, may)
  return out


def _loop_global_pmi(rng, rank, may):
  out = np.zeros(len(may), bool)
  count = int(((rng.random(len(may)) < .0136) & may).sum())
  places = sorted(np.flatnonzero(may), key=lambda i: rank[i])
  for place in places[:count]:
    _set(out, place, _REACH, may)
  return out


def _set(out, centre, offsets, may):
  for o in offsets:
    if 0 <= centre + o < len(out) and may[centre + o]:
      out[centre + o] = True
