"""A Markov chain of order 3 with planted motifs, diverged repeats and runs of N.

Elements are planted at places of their own: motifs lie neither in repeats nor in N.
"""

import gzip

import numpy as np

_LETTERS = np.frombuffer(b"ACGT", np.uint8)
_ORDER = 3
_LEVELS = 1 << 12             # probabilities of the chain are multiples of 1 / 4096
_COLUMNS = 80


def write(settings, fasta_path, motifs_path):
  """Writes the genome and the list of its motifs.

  Args:
    settings: settings.Settings.
    fasta_path: gzipped FASTA; repeats in lower case.
    motifs_path: TSV with contig, start (from 0), end, strand, motif, and the letters
      that stand there.
  """
  rng = np.random.default_rng(settings.seed)
  table = chain(rng, settings)
  motifs = rng.integers(0, 4, (settings.motifs, settings.motif_length))
  repeat = walk(rng, table, settings.repeat_length)
  which = np.repeat(np.arange(settings.motifs), settings.copies)
  # Dealt out evenly, so that they always fit.
  contig_of_motif = rng.permutation(len(which)) % settings.contigs
  contig_of_repeat = np.arange(settings.repeats) % settings.contigs
  rows = ["contig\tstart\tend\tstrand\tmotif\tletters"]
  # No time in the header of the file: equal settings give equal bytes.
  with (open(fasta_path, "wb") as raw,
        gzip.GzipFile(fileobj=raw, mode="wb", filename="", mtime=0) as file):
    for n in range(settings.contigs):
      name = f"sim{n + 1}"
      letters, planted = contig(
          rng, settings, table, motifs[which[contig_of_motif == n]], repeat,
          int((contig_of_repeat == n).sum()))
      file.write(f">{name} simulated, seed {settings.seed}\n".encode())
      text = letters.tobytes()
      file.write(b"".join(text[i:i + _COLUMNS] + b"\n" for i in range(0, len(text), _COLUMNS)))
      for start, is_reverse, motif in planted:
        end = start + settings.motif_length
        rows.append(f"{name}\t{start}\t{end}\t{'-' if is_reverse else '+'}\t"
                    f"{_text(motif)}\t{text[start:end].decode()}")
  motifs_path.write_text("\n".join(rows) + "\n")


def _text(codes):
  return _LETTERS[codes].tobytes().decode()


def chain(rng, settings):
  """Transition probabilities of the background, [64, 4]: of a base after three others."""
  base = np.array([1 - settings.gc_share, settings.gc_share,
                   settings.gc_share, 1 - settings.gc_share]) / 2
  mean = np.tile(base, (4 ** _ORDER, 1))
  mean[1::4, 2] *= settings.cpg_share               # contexts that end in C, next is G
  mean /= mean.sum(1, keepdims=True)
  # A Dirichlet needs positive parameters, also where a share is 0.
  return np.stack([rng.dirichlet(np.maximum(row * settings.context_concentration, 1e-3))
                   for row in mean])


def walk(rng, table, length):
  """A random walk through the chain, [length] base codes."""
  edges = np.rint(np.cumsum(table, axis=1)[:, :-1] * _LEVELS)          # [64, 3]
  draws = (np.arange(_LEVELS)[None, :, None] >= edges[:, None]).sum(-1)  # [64, levels]
  context = np.arange(4 ** _ORDER)[:, None] % 4 ** (_ORDER - 1)
  following = (context * 4 + draws).tolist()
  state, out = int(rng.integers(4 ** _ORDER)), []
  for level in rng.integers(0, _LEVELS, length).tolist():
    state = following[state][level]
    out.append(state)
  return np.array(out, np.int64) % 4


def contig(rng, settings, table, motifs, repeat, num_repeats):
  """One contig.

  Args:
    rng: numpy Generator.
    settings: settings.Settings.
    table: the chain, [64, 4].
    motifs: [n, motif_length] base codes of the motifs to plant.
    repeat: [r] base codes of the repeat's ancestor.
    num_repeats: copies of it.

  Returns:
    (letters [contig_length] uint8, list of (start, is_reverse, motif)).
  """
  codes = walk(rng, table, settings.contig_length)
  n_lengths = rng.integers(1, settings.longest_n_run + 1, settings.n_runs)
  lengths = np.concatenate([np.full(len(motifs), settings.motif_length),
                            np.full(num_repeats, len(repeat)), n_lengths]).astype(int)
  starts = _places(rng, settings.contig_length, lengths)
  motif_at, repeat_at, n_at = np.split(starts, [len(motifs), len(motifs) + num_repeats])
  is_lower, is_n = np.zeros((2, len(codes)), bool)
  planted = []
  for start, motif in zip(motif_at.tolist(), motifs, strict=True):
    is_reverse = bool(rng.random() < 0.5)
    copy = 3 - motif[::-1] if is_reverse else motif
    codes[start:start + len(copy)] = _diverged(rng, copy, settings.motif_error)
    planted.append((start, is_reverse, motif))
  for start in repeat_at.tolist():
    copy = _diverged(rng, repeat, settings.repeat_divergence)
    copy = 3 - copy[::-1] if rng.random() < 0.5 else copy
    codes[start:start + len(copy)] = copy
    is_lower[start:start + len(copy)] = True
  for start, length in zip(n_at.tolist(), n_lengths.tolist(), strict=True):
    is_n[start:start + length] = True
  letters = _LETTERS[codes] | (is_lower * np.uint8(32))          # 32: lower case in ASCII
  letters[is_n] = ord("N")
  return letters, sorted(planted, key=lambda item: item[0])


def _places(rng, total, lengths):
  """Starts of elements that do not overlap, in random order along the contig."""
  order = rng.permutation(len(lengths))
  free = np.sort(rng.integers(0, total - lengths.sum() + 1, len(lengths)))
  starts = np.empty(len(lengths), np.int64)
  starts[order] = free + np.cumsum(lengths[order]) - lengths[order]
  return starts


def _diverged(rng, codes, rate):
  """Each base replaced by another one with chance `rate`."""
  return (codes + (rng.random(len(codes)) < rate) * rng.integers(1, 4, len(codes))) % 4
