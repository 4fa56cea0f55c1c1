"""A fitted library on the disk: nothing has to be embedded or calibrated again."""

import dataclasses
import hashlib
import io
import json
import zipfile

import numpy as np

from data_pipelines import cleaning
from dnajax.identification import (
  adaptation,
  by_length,
  calibration,
  calibrator,
  centroids,
  features,
  identifier,
  learned,
  shortlist,
)
from dnajax.identification import references as references_lib
from dnajax.shell import errors, files
from dnajax.workdir import load as load_lib

_FORMAT = 6
_FORMS = ("whole", "cut")
NAME = "index.npz"
SUMMARY = "index.json"


def save(directory, made, *, model):
  """Writes an index.

  Args:
    directory: created if necessary; an index in it is replaced.
    made: identifier.Identifier.
    model: `workdir.load.fingerprint` of the encoder; "" where there is none.
  """
  directory = files.path(directory)
  directory.mkdir(parents=True, exist_ok=True)
  references = made.references
  starts = np.cumsum([0, *map(len, references.sequences)])
  arrays = {"sequences": np.frombuffer("".join(references.sequences).encode(), np.uint8),
            "starts": starts, "centre": made.centre,
            "ids": _packed(references.ids)}
  if isinstance(made.keys, np.ndarray):
    arrays["keys"] = made.keys
  by = made.features
  if isinstance(by, adaptation.Adapted):
    arrays |= {"adapted/centre": by.centre, "adapted/matrix": by.matrix}
    by = by.base
  if made.learned is not None:
    arrays["classes"] = made.learned.of
  for rank, column in references.names.items():
    arrays[f"names/{rank}"] = column
    arrays[f"vocabulary/{rank}"] = _packed(references.vocabularies[rank])
  for rank, one in made.calibrators.items():
    arrays[f"shortest/{rank}"] = np.float64(one.shortest)
    for form in _FORMS:
      arrays |= _flat(getattr(one, form), f"{form}/{rank}")
  about = {"format": _FORMAT, "references": references.fingerprint(), "model": model,
           "features": by.name, "weights": made.weights, "strand": made.strand,
           "thresholds": made.thresholds, "ranks": list(references.ranks),
           "cleaning": dataclasses.asdict(made.cleaning), "num_references": len(references.ids),
           "num_read": references.num_read, "report": made.report,
           "problems": references.problems}
  files.write_atomically(directory / NAME, lambda part: _write(part, arrays))
  about["checksum"] = _digest(directory / NAME)
  files.write_text(directory / SUMMARY, json.dumps(about, indent=1) + "\n")


def read_about(directory):
  """What an index says about itself, a dict; UserError if there is none."""
  path = files.path(directory) / SUMMARY
  try:
    about = json.loads(path.read_text("utf-8"))
  except FileNotFoundError as error:
    raise errors.UserError(f"There is no index in {directory}. Make one: give --references "
                           f"beside --index={directory}.") from error
  except ValueError as error:
    raise errors.UserError(f"{path} is damaged. {_REMEDY}") from error
  if about.get("format") != _FORMAT:
    raise errors.UserError(f"{path} is of another version of dnajax. {_REMEDY}")
  return about


_REMEDY = "Make the index again: --references=FILE --overwrite."


def load(directory, embedder=None):
  """The Identifier of an index.

  Args:
    directory: of the index.
    embedder: inference.embedder.Embedder of the encoder it was made with; None if it
      was made without.

  Raises:
    UserError: no index, damaged, or made with another encoder.
  """
  about = read_about(directory)
  path = files.path(directory) / NAME
  if not path.exists() or _digest(path) != about["checksum"]:
    raise errors.UserError(f"{path} is damaged: it is not what was written. {_REMEDY}")
  check_model(directory, about, embedder)
  with np.load(path, allow_pickle=False) as file:
    arrays = {name: file[name] for name in file.files}
  text, starts = arrays["sequences"].tobytes().decode(), arrays["starts"].tolist()
  references = references_lib.References(
      ids=_unpacked(arrays["ids"]),
      sequences=[text[a:b] for a, b in zip(starts, starts[1:], strict=False)],
      names={rank: arrays[f"names/{rank}"] for rank in about["ranks"]},
      vocabularies={rank: _unpacked(arrays[f"vocabulary/{rank}"]) for rank in about["ranks"]},
      problems=[tuple(one) for one in about["problems"]], num_read=about["num_read"])
  by = (features.encoder(embedder) if about["features"] == features.Encoder.name
        else features.Kmers())
  if "adapted/matrix" in arrays:
    by = adaptation.Adapted(by, arrays["adapted/centre"], arrays["adapted/matrix"])
  centre = arrays["centre"]
  keys = (arrays["keys"] if "keys" in arrays
          else by.less(by.rows(references.sequences), centre))
  calibrators = {rank: by_length.ByLength(
      *(_known(arrays, f"{form}/{rank}") for form in _FORMS), float(arrays[f"shortest/{rank}"]))
      for rank in about["ranks"] if f"shortest/{rank}" in arrays}
  return identifier.Identifier(
      references, by, keys, centre, centroids.of_references(references, keys),
      shortlist.Weights(*about["weights"]), calibrators,
      about["thresholds"], about["report"], about["strand"],
      cleaning.Cleaning(**about["cleaning"]),
      learned=learned.Learned(by.classes, arrays["classes"]) if "classes" in arrays else None)


def check_model(directory, about, embedder):
  """UserError unless the encoder is the one an index was made with."""
  if about["features"] != features.Encoder.name:
    return
  if embedder is None:
    raise errors.UserError(f"The index {directory} was made with an encoder. Give its "
                           "--workdir.")
  if load_lib.fingerprint(embedder.trained) != about["model"]:
    raise errors.UserError(
        f"The index {directory} was made with another encoder, or another checkpoint of it, "
        f"than --workdir has. {_REMEDY}")


def _flat(one, prefix):
  """{name: array} of a calibration.Known."""
  return {f"{prefix}/share": np.float64(one.share)} | {
      f"{prefix}/{part}/{field.name}": getattr(getattr(one, part), field.name)
      for part in ("known", "found") for field in dataclasses.fields(calibrator.Calibrator)}


def _known(arrays, prefix):
  return calibration.Known(*(calibrator.Calibrator(**{
      field.name: arrays[f"{prefix}/{part}/{field.name}"]
      for field in dataclasses.fields(calibrator.Calibrator)}) for part in ("known", "found")),
      float(arrays[f"{prefix}/share"]))


def _write(path, arrays):
  with path.open("wb") as out, zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
    for name, array in arrays.items():
      buffer = io.BytesIO()
      np.save(buffer, array, allow_pickle=False)
      archive.writestr(f"{name}.npy", buffer.getvalue())


def _packed(texts):
  return np.frombuffer("\n".join(texts).encode(), np.uint8)


def _unpacked(array):
  return array.tobytes().decode().split("\n")


def _digest(path):
  digest = hashlib.sha256()
  with path.open("rb") as file:
    while part := file.read(1 << 24):
      digest.update(part)
  return digest.hexdigest()
