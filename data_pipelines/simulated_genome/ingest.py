"""The simulated genome, cut into windows like any genome."""

import dataclasses
import pathlib
import tempfile

from data_pipelines import windows, write
from data_pipelines.genome import ingest
from data_pipelines.simulated_genome import builder, settings, simulate


def prepare(data_dir, *, overwrite=False, show_progress=True, **changes):
  """Prepares the data set `simulated_genome`.

  Args:
    data_dir: where the data sets are.
    overwrite: replace one that is there.
    show_progress: bars.
    **changes: fields of settings.Settings.

  Returns:
    (directory, summary).
  """
  chosen = settings.Settings(**changes)
  options = ingest.Options(
      cuts=windows.Cuts(length=chosen.window_length), valid_share=chosen.valid_share,
      block_length=chosen.block_length, seed=chosen.seed)
  with tempfile.TemporaryDirectory() as folder:
    fasta = pathlib.Path(folder) / "genome.fa.gz"
    motifs = pathlib.Path(folder) / "motifs.tsv"

    def fill(spool):
      simulate.write(chosen, fasta, motifs)
      return ingest.fill(spool, [str(fasta)], options, show_progress=show_progress)
    return write.write(
        builder_class=builder.SimulatedGenome, data_dir=data_dir, fill=fill,
        cleaning=ingest.CLEANING, attachments=(fasta, motifs), pmi_of=ingest.TRAIN,
        overwrite=overwrite, show_progress=show_progress,
        options=dataclasses.asdict(chosen))
