"""The most similar key of each query by alignment: VSEARCH or BLAST+.

The baseline every barcode identification is measured against. The programs are
no Python packages; where one is not installed, that is said and nothing stops.
"""

import os
import pathlib
import shutil
import subprocess
import tempfile

import numpy as np

from dnajax.tokens import bases as base_codes

NAMES = {"vsearch": "VSEARCH best hit", "blastn": "BLAST+ best hit"}  # by program

_LETTERS = np.frombuffer(b"ACGTN", np.uint8)  # of base codes 0 … UNKNOWN
_INSTALL = {"vsearch": "for example: apt install vsearch, or conda install -c bioconda vsearch",
            "blastn": "for example: apt install ncbi-blast+, or conda install -c bioconda blast"}


def search(queries, keys, program, *, own=None):
  """Aligns every query with its likeliest keys and keeps the best.

  Args:
    queries: [Q, bp] uint8 base codes.
    keys: [N, bp] uint8 base codes.
    program: "vsearch", global alignment with the 8 keys that share most k-mers,
      identity at least .5; or "blastn", megablast. Both on the plus strand.
    own: [Q] index of the key that is the query itself and is left out, or -1.

  Returns:
    (ids [Q] of keys, -1 where there is no hit, and None); or (None, a sentence)
    if the program is not found or fails.
  """
  programs = [program] if program == "vsearch" else [program, "makeblastdb"]
  absent = [name for name in programs if shutil.which(name) is None]
  if absent:
    return None, (f"no values: the program {absent[0]} was not found on PATH "
                  f"({_INSTALL[program]})")
  with tempfile.TemporaryDirectory(prefix="dnajax-") as folder:
    folder = pathlib.Path(folder)
    write_fasta(folder / "queries.fasta", queries)
    write_fasta(folder / "keys.fasta", keys)
    for command in _commands(program):
      done = subprocess.run(command, cwd=folder, capture_output=True, text=True,
                            errors="replace", stdin=subprocess.DEVNULL, check=False)
      if done.returncode:
        said = (done.stderr.strip() or "nothing").splitlines()[-1]
        return None, (f"no values: {command[0]} ended with code {done.returncode} "
                      f"and said: {said}")
    own = np.full(len(queries), -1) if own is None else own
    with open(folder / "hits.tsv", encoding="utf-8") as lines:
      return read_hits(lines, own), None


def write_fasta(path, bases):
  """Rows of base codes [N, bp], named 0, 1, …; rows without a letter are left out."""
  with open(path, "wb") as file:
    for i, row in enumerate(bases):
      codes = row[row != base_codes.PAD]
      if len(codes):
        file.write(b">%d\n%s\n" % (i, _LETTERS[codes].tobytes()))


def read_hits(lines, own):
  """First hit of each query that is not the query itself.

  Args:
    lines: "query TAB key …", best hit of a query first; the key may be "*".
    own: [Q] index of the key that a query is itself, or -1.

  Returns:
    [Q] int64 index of a key, -1 where there is none.
  """
  hits = np.full(len(own), -1)
  for line in lines:
    query, key, *_ = line.rstrip("\n").split("\t")
    if key != "*" and hits[int(query)] < 0 and int(key) != own[int(query)]:
      hits[int(query)] = int(key)
  return hits


def _commands(program):
  """What to run in the folder of the FASTA files; the last one writes hits.tsv."""
  if program == "vsearch":
    # Two hits: one may be the query itself. Hits come in order of identity.
    return [["vsearch", "--usearch_global", "queries.fasta", "--db", "keys.fasta",
             "--id", "0.5", "--maxaccepts", "8", "--maxrejects", "64", "--maxhits", "2",
             "--userout", "hits.tsv", "--userfields", "query+target+id", "--quiet"]]
  return [["makeblastdb", "-in", "keys.fasta", "-dbtype", "nucl", "-out", "keys"],
          ["blastn", "-task", "megablast", "-query", "queries.fasta", "-db", "keys",
           "-max_target_seqs", "5", "-max_hsps", "1", "-strand", "plus",
           "-num_threads", str(os.cpu_count()), "-outfmt", "6 qseqid sseqid pident",
           "-out", "hits.tsv"]]
