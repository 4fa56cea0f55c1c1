"""Which column of a file is what: layouts of known releases, and their reading."""

import dataclasses

from dnajax.shell import errors

RANKS = ("phylum", "class", "order", "family", "subfamily", "genus", "species", "bin")
FIELDS = ("sequence", "id", "split", *RANKS)


@dataclasses.dataclass(frozen=True)
class Preset:
  """One layout. columns: {field: names it has had, the first present counts};
  absent: cells that mean "no value", besides the empty one."""
  columns: dict
  absent: tuple = ()


# "NA" and "nan" are not among the marks for "no value": genera can have such names.
PRESETS = {
    # BIOSCAN-5M metadata, CSV and TSV releases.
    "bioscan5m": Preset(
        columns=dict(
            sequence=("dna_barcode", "nucleotides"), id=("processid",),
            split=("split",), bin=("dna_bin", "bin_uri"),
            **{"phylum": ("phylum",), "class": ("class",), "order": ("order",),
               "family": ("family",), "subfamily": ("subfamily",), "genus": ("genus",),
               "species": ("species",)}),
        absent=("None", "not_classified", "no_data")),
    # BOLD exports: per-taxon downloads of the old portal, then the new portal's names.
    "bold": Preset(
        columns=dict(
            sequence=("nucleotides", "nuc"), id=("processid",), split=("split",),
            bin=("bin_uri",),
            **{"phylum": ("phylum_name", "phylum"), "class": ("class_name", "class"),
               "order": ("order_name", "order"), "family": ("family_name", "family"),
               "subfamily": ("subfamily_name", "subfamily"),
               "genus": ("genus_name", "genus"), "species": ("species_name", "species")}),
        absent=("None", "not_classified")),
    # CANADA-1.5M, the TSV files of BarcodeBERT: named like BOLD, one file per split.
    "canada1.5m": Preset(
        columns=dict(
            sequence=("nucleotides",), id=("processid", "sampleid"), bin=("bin_uri",),
            **{rank: (f"{rank}_name", rank) for rank in RANKS[:-1]}),
        absent=("None", "not_classified")),
    # Any table whose columns are called what they are.
    "plain": Preset(
        columns=dict(
            sequence=("sequence", "seq", "bases", "dna"),
            id=("id", "name", "accession", "seqid"), split=("split",),
            **{rank: (rank, f"{rank}_name") for rank in RANKS})),
}


@dataclasses.dataclass(frozen=True)
class Layout:
  """A file's columns by field, and the cells that mean "no value"."""
  preset: str
  columns: dict
  absent: frozenset


def resolve(names, *, path, preset="auto", columns=None):
  """The layout of a table with the columns `names`.

  Args:
    names: the file's column names.
    path: for the message.
    preset: a name in PRESETS, or "auto" for the one that finds most columns.
    columns: {field: column name} that counts before the preset.

  Returns:
    Layout; it always has a column for "sequence".

  Raises:
    UserError: a named column or the sequence column is not there; lists what is.
  """
  columns = dict(columns or {})
  # On one line of bounded length, whatever the file has for names.
  has = f"It has the columns: {' '.join(', '.join(names).split())[:300] or 'none'}."
  for field, column in columns.items():
    if field not in FIELDS:
      raise errors.UserError(f"--columns: unknown field {field!r}. Known: "
                             f"{', '.join(FIELDS)}.")
    if column not in names:
      raise errors.UserError(f"{path} has no column {column!r} (wanted for {field!r} by "
                             f"--columns). {has}")
  found = {name: {field: next(c for c in known if c in names)
                  for field, known in PRESETS[name].columns.items()
                  if any(c in names for c in known)}
           for name in (PRESETS if preset == "auto" else [preset])}
  best = max(found, key=lambda name: ("sequence" in found[name], len(found[name])))
  chosen = {**found[best], **columns}
  if "sequence" not in chosen:
    tried = sorted({c for name in found for c in PRESETS[name].columns["sequence"]})
    raise errors.UserError(
        f"{path}, line 1: no column with sequences (looked for {', '.join(tried)}, "
        f"preset {preset}). {has} Name it with --columns=sequence:COLUMN.")
  for field, column in chosen.items():
    if names.count(column) > 1:
      raise errors.UserError(f"{path}, line 1: two columns are called {column!r}, wanted "
                             f"for {field!r}. Rename one.")
  return Layout(best, chosen, frozenset(("", *PRESETS[best].absent)))
