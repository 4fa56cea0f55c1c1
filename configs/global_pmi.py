"""Global-PMI (arXiv 2408.07180): around the tokens of highest PMI of the row.

Variants, chosen with --config=configs/global_pmi.py:NAME
  default  small model on a simulated genome that is generated on first use
  human    small model on prepared FASTA (data.name=genome/NAME)
  paper    Script-A: 10,000 steps of 250 rows
  tiny     for tests

Differs from the other configs of genomes in the masking only (paper: and in steps, batch
and learning rate), so that runs of any two can be compared.
"""

import ml_collections

from configs import shared


def get_config(variant="default"):
  """The experiment as a ConfigDict; the variants are listed above."""
  config = ml_collections.ConfigDict()
  config.seed = 0
  config.total_steps = 600
  config.batch_size = 32

  config.data = dict(
      name="simulated_genome", split="pretrain", max_length=133, is_generated=True)
  config.tokens = shared.GENOME_TOKENS
  config.masking = dict(
      # .15 / 11; spans overlap: about 12 % are selected
      selection=dict(name="global_pmi", probability=0.0136),
      corruption=dict(name="replace", mask_share=0.8, random_share=0.1),  # replace | hide
      pmi_table="npmi_k6.npz")  # file, or one that lies beside the records
  config.encoder = shared.GENOME_ENCODER
  config.objective = dict(name="masked_lm", head="transform", tie_embeddings=True)
  config.losses = dict(masked=dict(name="masked_prediction"))
  config.optimizer = shared.GENOME_OPTIMIZER
  config.log = dict(every_steps=20)
  config.checkpoint = dict(every_steps=200, keep=3)
  config.evals = shared.GENOME_EVALS
  for table in VARIANTS[variant]:
    config.update(table)
  return config


VARIANTS = {
    "default": (), "human": (shared.GENOME_HUMAN,), "tiny": (shared.GENOME_TINY,),
    "paper": (shared.GENOME_PAPER, shared.SCRIPT_A),
}
