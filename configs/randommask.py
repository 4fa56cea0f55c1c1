"""RandomMask (arXiv 2310.07644): windows that grow in five phases.

Variants, chosen with --config=configs/randommask.py:NAME
  default  small model on a simulated genome that is generated on first use
  human    small model on prepared FASTA (data.name=genome/NAME)
  paper    480,000 steps of 512 rows
  tiny     for tests

Differs from the other configs of genomes in the masking only (paper: and in steps, batch
and learning rate), so that runs of any two can be compared.

No code, weights or configs were published. Probability, windows and phases below
are from memory of the paper's text and not verified: papers.md 4. The paper's
boundaries are given for 480,000 steps; other variants scale them.
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
      selection=dict(
          name="random_window", probability=0.025,  # of a centre
          sizes=(6, 8, 10, 12, 14),          # of a window, in tokens
          boundaries=(37, 75, 125, 250),     # updates at which a phase begins
          counts=(1, 2, 3, 4, 5)),           # how many of the sizes are in use
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
    "default": (),
    "human": (shared.GENOME_HUMAN, dict(masking=dict(selection=dict(
        boundaries=(187, 375, 625, 1_250))))),
    "paper": (shared.GENOME_PAPER, dict(
        total_steps=480_000, batch_size=512,
        optimizer=dict(learning_rate=5e-4, schedule=dict(warmup_steps=10_000)),
        masking=dict(selection=dict(boundaries=(30_000, 60_000, 100_000, 200_000))))),
    "tiny": (shared.GENOME_TINY, dict(masking=dict(selection=dict(
        boundaries=(2, 4), counts=(1, 3, 5))))),
}
