"""CM-Step (arXiv 2408.07180): more and more updates with Global-PMI, in blocks.

Variants, chosen with --config=configs/cm_step.py:NAME
  default  small model on a simulated genome that is generated on first use
  human    small model on prepared FASTA (data.name=genome/NAME)
  paper    Script-A; 10 blocks, from GeneMask to Global-PMI, as in the talk
  tiny     for tests
  public_code  paper with what the public code does: 100 blocks that move from DNABERT's
           spans to Global-PMI, whose ranks are those of positions

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
      selection=dict(name="gene_mask", probability=0.0176),  # of a centre, .15 / 8.5
      curriculum=dict(name="cm_step", num_blocks=10,
                      hard=dict(name="global_pmi", probability=0.0136)),  # .15 / 11
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
    "public_code": (shared.GENOME_PAPER, shared.SCRIPT_A, dict(masking=dict(
        selection=dict(name="kmer_span", probability=0.025),
        curriculum=dict(num_blocks=100, hard=dict(rank_by="position"))))),
}
