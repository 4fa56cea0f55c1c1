"""Slow definitions that several tests compare with."""

import itertools

import numpy as np

LETTERS = "ACGTN."  # text of base codes; . is padding


def text(codes):
  """Base codes [bp] -> str."""
  return "".join(LETTERS[code] for code in codes)


def kmer_names(k, n_policy="unk", add_cls=False):
  """Vocabulary in the published order, list of str."""
  names = ["[MASK]", "[UNK]"] + ["[CLS]"] * add_cls
  names += ["".join(w) for w in itertools.product("ACGT", repeat=k)]
  if n_policy == "in_vocabulary":
    names += ["".join(w) for w in itertools.product("ACGTN", repeat=k)
              if "N" in w]
  return names


def slow_tokens(sequence, *, names, k, stride, num_kmers):
  """ids, is_maskable, pad_mask of one sequence (str of ACGTN), lists."""
  id_of = {name: i for i, name in enumerate(names)}
  ids, is_maskable, pad_mask = [], [], []
  if "[CLS]" in id_of:
    ids, is_maskable, pad_mask = [id_of["[CLS]"]], [False], [True]
  for i in range(num_kmers):
    kmer = sequence[i * stride:i * stride + k]
    is_real = len(kmer) == k
    is_known = is_real and kmer in id_of
    ids.append(id_of[kmer] if is_known else id_of["[UNK]"])
    is_maskable.append(is_known)
    pad_mask.append(is_real)
  return ids, is_maskable, pad_mask


def random_codes(rng, num_rows, num_bases, unknown_share=0.05):
  """Base codes of rows of different lengths, [n, bp] uint8."""
  codes = rng.integers(0, 4, (num_rows, num_bases)).astype(np.uint8)
  codes[rng.random(codes.shape) < unknown_share] = 4
  lengths = rng.integers(0, num_bases + 1, num_rows)
  lengths[0] = num_bases
  codes[np.arange(num_bases) >= lengths[:, None]] = 5
  return codes
