"""Labelled tables made and prepared by the tests of them."""

import gzip

import tensorflow_datasets as tfds

from data_pipelines import prepare


def draw(rng, length=20):
  return "".join(rng.choice("ACGT") for _ in range(length))


def spaced(sequence, k=6):
  return " ".join(sequence[i:i + k] for i in range(len(sequence) - k + 1))


def write_rows(path, rows, separator=",", columns=("sequence", "label"), quote=""):
  path.parent.mkdir(parents=True, exist_ok=True)
  text = "".join(separator.join(f"{quote}{cell}{quote}" for cell in cells) + "\n"
                 for cells in [columns, *rows])
  (gzip.open if path.suffix == ".gz" else open)(path, "wt").write(text)
  return str(path)


def run(inputs, tmp_path, **options):
  """(directory, summary); the data directory is tmp_path/data."""
  return prepare.prepare_labelled([str(text) for text in inputs], str(tmp_path / "data"),
                                  show_progress=False, **options)


def read_back(directory, split):
  """(bases, label, label_id) of a split through TFDS."""
  source = tfds.builder_from_directory(str(directory)).as_data_source(split)
  return [(r["bases"].decode(), r["label"].decode(), int(r["label_id"]))
          for r in (source[i] for i in range(len(source)))]
