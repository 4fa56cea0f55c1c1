"""What barcodes are named by elsewhere: VSEARCH, SINTAX, BLAST+, run as programs.

The baselines every identification is measured against. They are no Python packages; where
one is not installed, that is said and nothing stops.
"""

import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import numpy as np

from dnajax.tokens import bases as base_codes

_LETTERS = np.frombuffer(b"ACGTN", np.uint8)  # of base codes 0 … UNKNOWN
_INSTALL = {"vsearch": "apt install vsearch, or conda install -c bioconda vsearch",
            "blastn": "apt install ncbi-blast+, or conda install -c bioconda blast",
            "makeblastdb": "apt install ncbi-blast+, or conda install -c bioconda blast"}
_VSEARCH = ["vsearch", "--usearch_global", "queries.fasta", "--db", "keys.fasta", "--id", "0.5",
            "--userout", "hits.tsv", "--userfields", "query+target+id", "--quiet"]


@dataclasses.dataclass(frozen=True)
class Program:
  """One way to find the best hit of a query.

  name: of what is measured. how: in words. needs: programs on PATH.
  commands: run in the folder of queries.fasta and keys.fasta; the last one writes
    hits.tsv: query, key, identity in per cent, best hit of a query first. {threads} stands
    for the number of threads.
  """
  name: str
  how: str
  needs: tuple
  commands: tuple


def _blast(task):
  return (["makeblastdb", "-in", "keys.fasta", "-dbtype", "nucl", "-out", "keys"],
          ["blastn", "-task", task, "-query", "queries.fasta", "-db", "keys",
           "-max_target_seqs", "5", "-max_hsps", "1", "-strand", "plus",
           "-num_threads", "{threads}", "-outfmt", "6 qseqid sseqid pident",
           "-out", "hits.tsv"])


PROGRAMS = {
    # Two hits: one may be the query itself. Hits come in order of identity.
    "vsearch": Program(
        "VSEARCH best hit", "VSEARCH, global alignment with the 8 keys sharing most k-mers, "
        "identity at least .5", ("vsearch",),
        ([*_VSEARCH, "--maxaccepts", "8", "--maxrejects", "64", "--maxhits", "2", "--threads",
          "{threads}"],)),
    "vsearch_default": Program(
        "VSEARCH best hit, default", "VSEARCH, the first key sharing many k-mers with identity "
        "at least .5", ("vsearch",), ([*_VSEARCH, "--threads", "{threads}"],)),
    "megablast": Program(
        "BLAST+ megablast best hit", "BLAST+ megablast", ("blastn", "makeblastdb"),
        _blast("megablast")),
    "blastn": Program(
        "BLAST+ blastn best hit", "BLAST+ blastn", ("blastn", "makeblastdb"), _blast("blastn")),
}


def search(queries, keys, program, *, own=None, threads=None):
  """Aligns every query with its likeliest keys and keeps the best. On the plus strand.

  Args:
    queries: [Q, bp] uint8 base codes, or list of Q str.
    keys: the same of N keys.
    program: a name in PROGRAMS.
    own: [Q] index of the key that is the query itself and is left out, or -1.
    threads: default all cores.

  Returns:
    ((ids [Q] of keys, -1 where there is no hit, identities [Q], shares), None); or (None, a
    sentence) if a program is not found or fails.
  """
  one = PROGRAMS[program]
  own = np.full(len(queries), -1) if own is None else own
  with tempfile.TemporaryDirectory(prefix="dnajax-") as folder:
    folder = pathlib.Path(folder)
    reason = _run(folder, one.needs, one.commands, threads,
                  {"queries.fasta": _named(queries), "keys.fasta": _named(keys)})
    if reason:
      return None, reason
    with open(folder / "hits.tsv", encoding="utf-8") as lines:
      return read_hits(lines, own), None


def sintax(queries, keys, names, *, threads=None):
  """SINTAX (Edgar 2016), as VSEARCH has it: names with bootstrap shares.

  Args:
    queries, keys: lists of str.
    names: {rank: [N] int32 of the keys, -1 = none}, high to low.
    threads: default all cores.

  Returns:
    ({rank: (numbers [Q], -1 = none, shares [Q])}, None); or (None, a sentence).
  """
  letters = dict(zip(names, "dkpcofgs"[-len(names):], strict=True))  # of ranks, high to low
  def header(n):
    tax = ",".join(f"{letters[rank]}:{column[n]}" for rank, column in names.items()
                   if column[n] >= 0)
    return f"{n};tax={tax};"
  with tempfile.TemporaryDirectory(prefix="dnajax-") as folder:
    folder = pathlib.Path(folder)
    reason = _run(
        folder, ("vsearch",),
        (["vsearch", "--sintax", "queries.fasta", "--db", "keys.fasta", "--tabbedout",
          "hits.tsv", "--sintax_cutoff", "0", "--threads", "{threads}", "--quiet"],), threads,
        {"queries.fasta": _named(queries),
         "keys.fasta": ((header(n), text) for n, text in enumerate(keys))})
    if reason:
      return None, reason
    found = {rank: (np.full(len(queries), -1), np.zeros(len(queries))) for rank in names}
    rank_of = {letter: rank for rank, letter in letters.items()}
    for line in (folder / "hits.tsv").read_text("utf-8").splitlines():
      query, said, *_ = line.split("\t")
      for letter, number, share in re.findall(r"(\w):(\d+)\(([\d.]+)\)", said):
        numbers, shares = found[rank_of[letter]]
        numbers[int(query)], shares[int(query)] = int(number), float(share)
    return found, None


def _run(folder, needs, commands, threads, fastas):
  """A sentence that says why there are no values, or None."""
  absent = [name for name in needs if shutil.which(name) is None]
  if absent:
    return (f"no values: the program {absent[0]} was not found on PATH (for example: "
            f"{_INSTALL[absent[0]]})")
  for name, rows in fastas.items():
    write_fasta(folder / name, rows)
  for command in commands:
    done = subprocess.run(
        [word.format(threads=threads or os.cpu_count()) for word in command], cwd=folder,
        capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL,
        check=False)
    if done.returncode:
      said = (done.stderr.strip() or "nothing").splitlines()[-1]
      return f"no values: {command[0]} ended with code {done.returncode} and said: {said}"
  return None


def _named(rows):
  """Base codes or texts -> (number, text)."""
  for n, row in enumerate(rows):
    yield n, row if isinstance(row, str) else (
        _LETTERS[row[row != base_codes.PAD]].tobytes().decode())


def write_fasta(path, rows):
  """(name, text) rows; those without a letter are left out."""
  with open(path, "w", encoding="ascii") as file:
    for name, text in rows:
      if text:
        file.write(f">{name}\n{text}\n")


def read_hits(lines, own):
  """First hit of each query that is not the query itself.

  Args:
    lines: "query TAB key TAB identity in per cent", best hit of a query first; the key may
      be "*".
    own: [Q] index of the key that a query is itself, or -1.

  Returns:
    ([Q] int64 index of a key, -1 where there is none; [Q] identity, a share).
  """
  hits, identities = np.full(len(own), -1), np.zeros(len(own))
  for line in lines:
    query, key, identity, *_ = line.rstrip("\n").split("\t")
    if key != "*" and hits[int(query)] < 0 and int(key) != own[int(query)]:
      hits[int(query)], identities[int(query)] = int(key), float(identity) / 100
  return hits, identities
