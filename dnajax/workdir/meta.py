"""What every checkpoint says about itself."""

import base64
import hashlib
import importlib.metadata
import zlib

import numpy as np

import dnajax
from dnajax.shell import errors

FORMAT = 2  # raised when a workdir is written otherwise than before

_KEYS = ("config", "model", "cleaning", "data", "pmi_table", "versions")
_PACKAGES = ("jax", "flax", "optax", "orbax-checkpoint", "grain")


def make(config, model, split, *, ranks, labels=()):
  """The meta item of a checkpoint.

  Args:
    config: dict with every key of every chosen part.
    model: config.model.ModelSpec.
    split: data.records.Split that is trained on.
    ranks: [V] int32 of the PMI table, or None.
    labels: the columns of labels that losses read; their names, and which species they
      were of, are kept.

  Returns:
    dict, JSON-serialisable. What depends on the parameters too, "centre", is added at
    each save (training.centre).
  """
  vocabulary = model.tokenizer.vocabulary
  return {
      "format": FORMAT,
      "config": config,
      "model": model.to_dict(),
      "cleaning": split.cleaning,
      "ids": {"specials": list(vocabulary.specials), "letters": vocabulary.letters,
              "order": "specials, then k-mers, last letter fastest"},
      "data": {"name": config["data"]["name"], "split": config["data"]["split"],
               "num_records": split.num_records, "fingerprint": split.fingerprint,
               "order": "grain global shuffle of record numbers with config.seed"
                        ", repeated; batch of update n+1 is batch n"},
      "learned_species": _species(split) if labels else None,
      "learned_labels": {column: list(split.vocabulary(column)) for column in labels},
      "pmi_table": None if ranks is None else fingerprint(ranks),
      "versions": {"dnajax": dnajax.__version__,
                   **{name: importlib.metadata.version(name) for name in _PACKAGES}}}


def fingerprint(ranks):
  """16 hex digits that stand for the ranks of all k-mers."""
  return hashlib.sha256(ranks.tobytes()).hexdigest()[:16]


def _species(split):
  """The species of a split: base64 of their names' sorted CRC-32s; None without species.

  What was learned from a species' labels says nothing about species never seen
  (`is_learned`). 4 bytes a species: one of 50,000 unknown ones passes for a known one.
  """
  if "species" not in split.ranks:
    return None
  names = split.vocabulary("species")
  numbers = np.unique(split.labels("species"))
  found = sorted({zlib.crc32(names[number].encode()) for number in numbers if number >= 0})
  return base64.b64encode(np.array(found, "<u4").tobytes()).decode()


def is_learned(meta, species):
  """Whether the labels that a model was trained on were of species of these names.

  Args:
    meta: of a checkpoint.
    species: list of n names; "" counts as learned, for nobody knows.

  Returns:
    [n] bool numpy array; None if no labels were learned, or of species without names.
  """
  if meta.get("learned_species") is None:
    return None
  known = np.frombuffer(base64.b64decode(meta["learned_species"]), "<u4")
  asked = np.array([zlib.crc32(name.encode()) for name in species], "<u4")
  return np.isin(asked, known) | np.array([not name for name in species], bool)


def _writer(meta):
  versions = meta.get("versions") if isinstance(meta, dict) else None
  return versions.get("dnajax") if isinstance(versions, dict) else "not told"


def check_format(meta, workdir):
  """UserError if another version of dnajax wrote it."""
  found = meta.get("format", 1) if isinstance(meta, dict) else None
  if found != FORMAT:
    raise errors.UserError(
        f"{workdir} has format {found}, this version of dnajax reads format {FORMAT}. "
        f"Use the version that wrote it ({_writer(meta)}), or "
        "train again in another --workdir.")
  missing = [key for key in _KEYS if key not in meta]
  if missing:
    raise errors.UserError(f"{workdir}: the meta of a checkpoint lacks {', '.join(missing)}. "
                           "It was not written by dnajax; move that checkpoint away.")
