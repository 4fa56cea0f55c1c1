"""Calls to files: a table for people, and what SINTAX and BLAST write for pipelines.

A new format is a function and a line of FORMATS.
"""

import contextlib
import os

from dnajax.shell import cells, errors, files

_LETTERS = {"phylum": "p", "class": "c", "order": "o", "family": "f", "genus": "g",
            "species": "s"}   # of SINTAX; it has none for subfamilies


def tsv_header(ranks):
  """The first line of a table of calls."""
  line = ["query"]
  for rank in ranks:
    line += [rank, f"{rank}_probability"]
  return "\t".join([*line, "best_reference", "similarity", "identity", "strand"])


def tsv(call, num_hits):
  """One line: names that are called, probabilities of all, the best reference.

  For people: a name that a spreadsheet would take for a formula has an apostrophe in front. The
  other formats keep names, but for characters that are none of a name.
  """
  del num_hits
  line = [cells.for_people(call.query)]
  for rank, name in call.names.items():
    line += [cells.for_people(name) if call.is_called[rank] else "",
              f"{call.probabilities[rank]:.3f}" if name else ""]
  if call.hits:
    name, cosine, identity, _ = call.hits[0]
    line += [cells.for_people(name), f"{cosine:.3f}", f"{identity:.4f}"]
  else:
    line += ["", "", ""]
  yield "\t".join([*line, "-" if call.is_reversed else "+"])


def sintax(call, num_hits):
  """As VSEARCH --tabbedout: all names with probabilities, strand, names that are called."""
  del num_hits
  named = [(rank, name) for rank, name in call.names.items() if name and rank in _LETTERS]
  everything = ",".join(f"{_LETTERS[rank]}:{_word(name)}({call.probabilities[rank]:.2f})"
                        for rank, name in named)
  called = ",".join(f"{_LETTERS[rank]}:{_word(name)}" for rank, name in named
                    if call.is_called[rank])
  yield "\t".join([cells.plain(call.query), everything, "-" if call.is_reversed else "+", called])


def blast6(call, num_hits):
  """As BLAST -outfmt 6, best first; differences count as mismatches, no e-value (-1) and no
  bit score (0), as from VSEARCH."""
  for name, _, identity, overlap in call.hits[:num_hits]:
    differences = round((1 - identity) * overlap)
    ends = (call.length, 1) if call.is_reversed else (1, call.length)
    yield "\t".join(map(str, (
        cells.plain(call.query), cells.plain(name), f"{100 * identity:.1f}", overlap,
        differences, 0, *ends, 1, overlap, -1, 0)))


FORMATS = {"tsv": (tsv_header, tsv), "sintax": (None, sintax), "blast6": (None, blast6)}


def check(path, *, overwrite, flag="output"):
  """The path of an output; UserError if it is there already, or a folder."""
  path = files.path(path)
  if path.is_dir() or (path.exists() and not overwrite):
    raise errors.UserError(f"{path} exists. Choose another --{flag}"
                           + ("." if path.is_dir() else " or add --overwrite."))
  return path


@contextlib.contextmanager
def open_file(path, kind, ranks, *, num_hits=5):
  """Yields a function that writes a Call; the file appears when all is written.

  Args:
    path: of the file.
    kind: a name in FORMATS.
    ranks: high to low.
    num_hits: references of each query, in blast6.
  """
  header, lines = FORMATS[kind]
  path = files.path(path)
  path.parent.mkdir(parents=True, exist_ok=True)
  part = path.with_name(f".{path.name}.part-{os.getpid()}")
  try:
    with files.named(path), part.open("w", encoding="utf-8") as file:
      if header:
        file.write(header(ranks) + "\n")
      yield lambda call: file.writelines(line + "\n" for line in lines(call, num_hits))
    part.replace(path)
  finally:
    part.unlink(missing_ok=True)


def _word(name):
  return cells.plain(name).replace(" ", "_").replace(",", "_")
