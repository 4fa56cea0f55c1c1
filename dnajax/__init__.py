"""dnajax: pretraining DNA encoders with masking strategies made for DNA.

  encoder = dnajax.load("runs/first")
  rows = encoder.embed(["ACGT…", …])           # [n, D]

`dnajax.DnaEncoder` is the same as a transformer of scikit-learn. Nothing slow is imported
before it is used.
"""

__version__ = "0.1.0"


def load(workdir, *, step="best", pooling="mean", layer=-1, centre=False, frames=1,
         strand="forward", windows=False, mesh=None):
  """The encoder of a training run, or of a folder of Hugging Face.

  Args:
    workdir: directory of the run; only its checkpoints and its metrics are read. Or a folder
      with weights of the BERT family that says what it needs (`hugging_face.claims`).
    step: which checkpoint, see `workdir.load.load`.
    pooling: "mean", "cls", "max", or "tokens" for an embedding of every k-mer.
    layer: of a transformer: 1 … depth from the first, -1 … -depth from the last.
    centre: take the mean of the training data away from every embedding.
    frames: an embedding is the mean over this many reading frames.
    strand: "forward", "reverse" or "either"; see `inference.embedder.Embedder`.
    windows: read sequences longer than the model in overlapping windows; else they are cut.
    mesh: {axis: devices}, for a model too large for one device, as {"fsdp": 8}; default: rows
      are spread over the devices, each of which has all parameters.

  Returns:
    An `inference.embedder.Embedder`, over all devices of this process: `embed(sequences)`
    takes a list of texts or a column of pandas, Arrow or polars.

  Raises:
    UserError: no such checkpoint, pooling or layer, the checkpoint does not keep what
      `centre` or strand="either" needs, or the mesh does not fit the devices.
  """
  from dnajax.hugging_face import opening
  from dnajax.inference import embedder, encode
  from dnajax.workdir import load as load_lib
  with opening.as_workdir(workdir) as path:
    trained = load_lib.load(path, step=step)
  return embedder.Embedder(
      trained, pooling=pooling, layer=layer, centre=centre, frames=frames, strand=strand,
      has_windows=windows, mesh=encode.local_mesh(mesh))


def __getattr__(name):
  if name == "DnaEncoder":
    from dnajax.inference import dna_encoder
    return dna_encoder.DnaEncoder
  raise AttributeError(f"module 'dnajax' has no attribute {name!r}")
