"""TensorBoard's projector: vectors with labels in WORKDIR/tensorboard/projector."""

import numpy as np

from dnajax.shell import files
from dnajax.workdir.dashboards import tensorboard

MOST_POINTS = 2_000  # the projector lays them out in the browser, and the files are text


def write(workdir, points, *, seed=0):
  """Writes what the projector reads; no package is needed for that.

  Args:
    workdir: of a run; what its projector shows under other names stays.
    points: {name: (vectors [N, D], N labels)}; of more than MOST_POINTS a random sample,
      of no finite ones nothing.
    seed: of the sample.

  Returns:
    The path of projector_config.pbtxt, or None if there was nothing to be written.
  """
  root = tensorboard.directory(workdir)
  kept = {name: one for name, one in points.items()
          if len(one[0]) and np.isfinite(one[0]).all()}
  for name, (vectors, labels) in kept.items():
    ids = np.sort(np.random.default_rng(seed).permutation(len(vectors))[:MOST_POINTS])
    folder = root / "projector" / name
    folder.mkdir(parents=True, exist_ok=True)
    files.write_text(folder / "tensors.tsv", "".join(
        "\t".join(f"{x:.6g}" for x in vectors[i]) + "\n" for i in ids))
    # A line per point, no header: there is one column.
    files.write_text(folder / "metadata.tsv", "".join(
        " ".join(str(labels[i]).split()) + "\n" for i in ids))
  if not kept:
    return None
  path = root / "projector_config.pbtxt"
  names = sorted(found.parent.name for found in (root / "projector").glob("*/tensors.tsv"))
  files.write_text(path, "".join(
      f'embeddings {{\n  tensor_name: "{name}"\n'
      f'  tensor_path: "projector/{name}/tensors.tsv"\n'
      f'  metadata_path: "projector/{name}/metadata.tsv"\n}}\n' for name in names))
  return path
