"""DNABERT (Ji et al. 2021): masked language model on overlapping k-mers.

Variants, chosen with --config=configs/dnabert.py:NAME
  default  small model on a simulated genome that is generated on first use
  human    small model on prepared FASTA (data.name=genome/NAME)
  paper    the README run of the public code: k=6, 12 layers of 768, 200,000 steps
  tiny     for tests

Differs from the other configs of genomes in the masking only (paper: and in steps, batch
and learning rate), so that runs of any two can be compared.

Left out of the published form, because no output depends on it: the pooler, the
second token-type row and the output bias of special tokens. Random tokens are
k-mers; the public code also draws special tokens. [UNK] and padding are neither
selected nor attended; in the public code they are.
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
      selection=dict(name="kmer_span", probability=0.025),  # of a centre
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
    # papers.md 7.1, README run: 10 rows x 25 accumulation steps x 8 GPUs
    "paper": (shared.GENOME_PAPER, dict(
        total_steps=200_000, batch_size=2_000,
        optimizer=dict(learning_rate=4e-4, schedule=dict(warmup_steps=10_000)))),
}
