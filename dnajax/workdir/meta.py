"""What every checkpoint says about itself."""

import hashlib
import importlib.metadata

import dnajax
from dnajax.shell import errors

FORMAT = 2  # raised when a workdir is written otherwise than before

_PACKAGES = ("jax", "flax", "optax", "orbax-checkpoint", "grain")


def make(config, model, split, *, ranks):
  """The meta item of a checkpoint.

  Args:
    config: dict with every key of every chosen part.
    model: config.model.ModelSpec.
    split: data.records.Split that is trained on.
    ranks: [V] int32 of the PMI table, or None.

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
      "pmi_table": None if ranks is None else fingerprint(ranks),
      "versions": {"dnajax": dnajax.__version__,
                   **{name: importlib.metadata.version(name) for name in _PACKAGES}}}


def fingerprint(ranks):
  """16 hex digits that stand for the ranks of all k-mers."""
  return hashlib.sha256(ranks.tobytes()).hexdigest()[:16]


def check_format(meta, workdir):
  """UserError if another version of dnajax wrote it."""
  found = meta.get("format", 1)
  if found != FORMAT:
    raise errors.UserError(
        f"{workdir} has format {found}, this version of dnajax reads format {FORMAT}. "
        f"Use the version that wrote it ({meta.get('versions', {}).get('dnajax')}), or "
        "train again in another --workdir.")
